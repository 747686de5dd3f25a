/* Limits the number of heaps. glibc gives each thread its own heap, up to eight per processor, and keeps it after
 * the thread's end. A reload of many profiles reads their credentials on short-lived threads, and would leave
 * megabytes behind each time. The daemon allocates almost always on one thread, so two heaps are enough. This is C,
 * because no safe crate calls mallopt. */
#include <stdlib.h>

#ifdef __GLIBC__
#include <malloc.h>

__attribute__((constructor)) static void keep_few_heaps(void) {
    mallopt(M_ARENA_MAX, 2);
}
#endif
