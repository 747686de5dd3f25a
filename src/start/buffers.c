/* Gives the pages of connections' buffers back to the system as soon as they are freed.
 *
 * hyper makes two buffers of 8 KiB for each connection, of which most connections touch a page. Freed memory is wiped,
 * which touches all of it, and the C library keeps it: after a crowd of 4,096 connections the next one found all of their
 * buffers resident, 32 MiB more than the first. Here a buffer is a slot of its own, and a slot that is freed is no memory
 * any more. Sizes other than that of these buffers are the C library's. In C, since this has to stand below Rust's
 * allocator, and with glibc only, whose own functions have these second names. */
#ifdef __linux__
#include <features.h>
#endif
#ifdef __GLIBC__
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

extern void *__libc_malloc(size_t);
extern void *__libc_realloc(void *, size_t);
extern void __libc_free(void *);

enum {
    SIZE = 8192,
    /* Two for each of 4,096 connections at the token socket and 64 at the admin socket, and some for other uses. */
    SLOTS = 2 * (4096 + 64) + 128,
    /* So many freed slots keep their pages: a daemon with few connections makes no system call for them. */
    WARM = 32,
    /* With more slots in use than this none does: each would come back with both of its pages resident, and connections
     * that come and go would make all of them so. */
    CROWD = 512,
};

static unsigned char *slots;
static uint16_t spare[SLOTS];
/* The numbers of free slots are a stack: those below `cold` have no pages, those from it up to `spares` do. */
static unsigned spares, cold;
/* A lock that sleeps: threads that speak to issuers run at a lower priority, and spinning would keep the processor from
 * the one that holds it. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool ready;

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
    /* A child has a copy of the lock: it must not be one that another thread holds. */
    if (pthread_atfork(enter, leave, leave) != 0)
        return;
    atomic_store(&ready, 1);
}

static int is_slot(const void *p) {
    return atomic_load_explicit(&ready, memory_order_relaxed) && (uintptr_t)p - (uintptr_t)slots < (size_t)SIZE * SLOTS;
}

void *malloc(size_t size) {
    void *slot = NULL;
    if (size == SIZE && atomic_load_explicit(&ready, memory_order_acquire)) {
        enter();
        if (spares > 0) {
            slot = slots + (size_t)SIZE * spare[--spares];
            if (cold > spares)
                cold = spares;
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
    leave();
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
