/* Rust's start-up puts the null device, open for reading and writing, in the place of a standard output that is closed:
 * what a command prints is lost then, and it ends as if it had been read. This runs before, and puts it there open for
 * reading alone, so that every write fails with EBADF as it does on a closed descriptor, while no other file can get its
 * number. (glibc does the same for set-user-ID programs: csu/check_fds.c.) In C, since Rust has no safe code before main. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

__attribute__((constructor)) static void keep_a_closed_stdout_unwritable(void) {
    if (fcntl(STDOUT_FILENO, F_GETFD) != -1 || errno != EBADF)
        return;
    int null = open("/dev/null", O_RDONLY);
    if (null != -1 && null != STDOUT_FILENO) {
        dup2(null, STDOUT_FILENO);
        close(null);
    }
}
