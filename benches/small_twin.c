/* The smaller C twin of the companion: prints a token by a plain GET, and does nothing that this does not need. It has no
 * other verbs, asks no terminal, knows one place for the socket, and takes the body as it is. Like the companion it judges
 * the peer by its user, and has a limit of time. benches/companion.rs compares the times of both. */
#define _GNU_SOURCE /* struct ucred, memmem */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <signal.h>

static char request[1024] = "GET /v1/profiles/";
static char answer[8192];

int main(int argc, char **argv) {
    const char *path = getenv("JETON_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (argc != 3 || strcmp(argv[1], "token") != 0 || strlen(argv[2]) > 512) return 64;
    if (!path || strlen(path) >= sizeof address.sun_path) return 64;
    strcpy(address.sun_path, path);
    signal(SIGPIPE, SIG_IGN);

    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) return 69;
    struct ucred peer;
    socklen_t length = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return 77;
    if (peer.uid != 0 && peer.uid != geteuid()) return 77;

    strcat(strcat(request, argv[2]), "/token HTTP/1.0\r\nAccept: text/plain\r\n\r\n");
    size_t size = strlen(request);
    if (send(fd, request, size, MSG_NOSIGNAL) != (ssize_t)size) return 75;
    size_t got = 0;
    for (;;) {
        struct pollfd ready = {fd, POLLIN, 0};
        if (poll(&ready, 1, 30000) <= 0) return 75;
        ssize_t more = recv(fd, answer + got, sizeof answer - got, 0);
        if (more <= 0) return 75;
        got += (size_t)more;
        char *head = memmem(answer, got, "\r\n\r\n", 4);
        char *announced = memmem(answer, got, "content-length: ", 16);
        if (!head || !announced) continue;
        if (memcmp(answer + 8, " 200", 4) != 0) return 75;
        size_t body = strtoul(announced + 16, 0, 10);
        head += 4;
        if ((size_t)(answer + got - head) < body) continue;
        _exit(write(1, head, body) == (ssize_t)body ? 0 : 1);
    }
}
