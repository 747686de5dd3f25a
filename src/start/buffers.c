/* Returns the pages of connections' buffers to the system as soon as they are freed.
 *
 * hyper allocates two buffers of 8 KiB per connection, and most connections touch only one page of each. Wiping freed
 * memory touches all pages, and the C library keeps them. After a crowd of 4,096 connections all their buffers were
 * resident, so the next crowd took 32 MiB more than the first. Here each buffer is a slot in a region of its own, and a
 * freed slot loses its pages. The C library serves all other sizes. This is C, because it has to sit below Rust's
 * allocator. It works only with glibc, whose own functions have a second name (`__libc_malloc` and so on). */
#ifdef __linux__
#include <features.h>
#endif
#ifdef __GLIBC__
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

extern void *__libc_malloc(size_t);
extern void *__libc_realloc(void *, size_t);
extern void __libc_free(void *);

enum {
    SIZE = 8192,
    /* Two for each of 4,096 connections at the token socket and 64 at the admin socket, and some for other uses. */
    SLOTS = 2 * (4096 + 64) + 128,
    /* This many freed slots keep their pages, so that a daemon with few connections makes no system calls for them. */
    WARM = 32,
    /* If more slots than this are in use, no freed slot keeps its pages: each would come back with both of its pages
     * resident, and connections that come and go would soon make all slots resident. */
    CROWD = 512,
    /* With fewer slots in use than this, a crowd has left. */
    FEW = 32,
};

static unsigned char *slots;
static uint16_t spare[SLOTS];
/* `spare` is a stack with the numbers of free slots: those below `cold` have no pages, those from `cold` to `spares`
 * do. */
static unsigned spares, cold;
/* A sleeping lock, not a spin lock: the threads for issuers run at a lower priority, and spinning would keep the
 * processor from the thread that holds the lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool ready;
/* Whether there was a crowd since the C library last gave memory back, and in which second that was. */
static atomic_bool crowded;
static atomic_long trimmed;

static void enter(void) { pthread_mutex_lock(&lock); }

static void leave(void) { pthread_mutex_unlock(&lock); }

__attribute__((constructor)) static void reserve_slots(void) {
    if (sysconf(_SC_PAGESIZE) != 4096)
        return;
    void *region = mmap(NULL, (size_t)SIZE * SLOTS, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (region == MAP_FAILED)
        return;
    /* A huge page would make all of its slots resident. */
    madvise(region, (size_t)SIZE * SLOTS, MADV_NOHUGEPAGE);
    slots = region;
    for (unsigned n = 0; n < SLOTS; n++)
        spare[n] = (uint16_t)(SLOTS - 1 - n);
    spares = cold = SLOTS;
    /* A forked child gets a copy of the lock, which must not be held by another thread at that moment. */
    if (pthread_atfork(enter, leave, leave) != 0)
        return;
    atomic_store(&ready, 1);
}

static int is_slot(const void *p) {
    return atomic_load_explicit(&ready, memory_order_relaxed) && (uintptr_t)p - (uintptr_t)slots < (size_t)SIZE * SLOTS;
}

/* Gives back what a crowd has left. A connection also takes small pieces of memory, a few KiB in all, and the C library
 * keeps them for later ones: after 3,000 connections 10 MB stayed. This takes some milliseconds, so it is done once for a
 * crowd, and once a second at most. */
static void trim(void) {
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC_COARSE, &now) != 0 || now.tv_sec == atomic_exchange(&trimmed, now.tv_sec))
        return;
    if (atomic_exchange(&crowded, 0))
        malloc_trim(0);
}

void *malloc(size_t size) {
    void *slot = NULL;
    if (size == SIZE && atomic_load_explicit(&ready, memory_order_acquire)) {
        enter();
        if (spares > 0) {
            slot = slots + (size_t)SIZE * spare[--spares];
            if (cold > spares)
                cold = spares;
            if (SLOTS - spares > CROWD)
                atomic_store_explicit(&crowded, 1, memory_order_relaxed);
        }
        leave();
    }
    return slot != NULL ? slot : __libc_malloc(size);
}

void free(void *p) {
    if (!is_slot(p)) {
        __libc_free(p);
        return;
    }
    int saved = errno;
    uint16_t number = (uint16_t)(((uintptr_t)p - (uintptr_t)slots) / SIZE);
    enter();
    if (spares - cold >= WARM || SLOTS - spares > CROWD) {
        madvise(slots + (size_t)SIZE * number, SIZE, MADV_DONTNEED);
        spare[spares++] = spare[cold];
        spare[cold++] = number;
    } else {
        spare[spares++] = number;
    }
    int has_left = SLOTS - spares < FEW && atomic_load_explicit(&crowded, memory_order_relaxed);
    leave();
    if (has_left)
        trim();
    errno = saved;
}

void *realloc(void *p, size_t size) {
    if (!is_slot(p))
        return __libc_realloc(p, size);
    if (size == 0) {
        free(p);
        return NULL;
    }
    void *other = __libc_malloc(size);
    if (other != NULL) {
        memcpy(other, p, size < SIZE ? size : SIZE);
        memset(p, 0, SIZE);
        free(p);
    }
    return other;
}

#endif
