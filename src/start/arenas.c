/* glibc gives each of up to eight threads a processor a heap of its own, and keeps it when the thread has ended. A reload
 * of many profiles reads their credentials on short-lived threads, and would leave megabytes behind each time. The daemon
 * allocates on one thread nearly always, so two heaps are enough. In C, since no safe crate calls mallopt. */
#include <stdlib.h>

#ifdef __GLIBC__
#include <malloc.h>

__attribute__((constructor)) static void keep_few_heaps(void) {
    mallopt(M_ARENA_MAX, 2);
}
#endif
