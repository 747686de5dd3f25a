/* Makes writes to a closed standard output fail. Rust's start-up replaces a closed standard output by the null
 * device, open for reading and writing: a command's output would be lost, and the command would still succeed. This
 * runs earlier, and opens the null device for reading only. Every write then fails with EBADF, as on a closed
 * descriptor, and no other file can get the descriptor's number. (glibc does the same for set-user-ID programs:
 * csu/check_fds.c.) This is C, because Rust has no safe code before main. */
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
