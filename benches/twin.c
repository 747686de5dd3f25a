/* The C twin of the companion: does the same work for `token` and `git`, static, against musl. benches/companion.rs
 * compares the times of both. */
#define _GNU_SOURCE /* memmem */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static unsigned char frame[4096];
static size_t used;

static void put(const void *bytes, size_t n) {
    if (n > sizeof frame - used) _exit(64);
    memcpy(frame + used, bytes, n);
    used += n;
}

static void field(unsigned char tag, const void *payload, uint32_t n) {
    put(&tag, 1);
    put(&n, 4);
    put(payload, n);
}

static int is_sent(const char *variable) {
    static const char *const names[] = {"JETON_PROFILE=", "NO_COLOR=", "TERM=", "COLUMNS=", "KUBERNETES_EXEC_INFO=",
                                        "CARGO_REGISTRY_INDEX_URL=", "CARGO_REGISTRY_NAME_OPT=", "CLAUDE_CODE_MCP_SERVER_NAME=",
                                        "CLAUDE_CODE_MCP_SERVER_URL=", "GOOGLE_EXTERNAL_ACCOUNT_"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncmp(variable, names[i], strlen(names[i])) == 0) return 1;
    return 0;
}

static long now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int reach(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) _exit(64);
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) _exit(75);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
    close(fd);
    return -1;
}

static int reach_any(void) {
    const char *named = getenv("JETON_SOCKET");
    if (named && *named) return reach(named);
    char path[4096];
    const char *session = getenv("XDG_RUNTIME_DIR");
    int fd = -1;
    if (session && snprintf(path, sizeof path, "%s/jeton/jeton.sock", session) < (int)sizeof path) fd = reach(path);
    if (fd < 0) {
        snprintf(path, sizeof path, "/run/user/%u/jeton/jeton.sock", geteuid());
        fd = reach(path);
    }
    return fd < 0 ? reach("/run/jeton/jeton.sock") : fd;
}

static void write_all(int fd, const unsigned char *bytes, size_t n) {
    while (n > 0) {
        ssize_t done = write(fd, bytes, n);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) _exit(1);
        bytes += done;
        n -= (size_t)done;
    }
}

static void wait_for(int fd, short events, long end) {
    struct pollfd ready = {fd, events, 0};
    long left = end - now_ms();
    if (left <= 0 || poll(&ready, 1, (int)left) == 0) _exit(75);
}

/* Writes the constant part of a request: the arguments and the environment. The other fields differ per request. */
static void begin(int argc, char **argv) {
    const char *name = strrchr(argv[0], '/');
    name = name ? name + 1 : argv[0];
    put("\1", 1);
    field(1, name, (uint32_t)strlen(name));
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--timeout") == 0 || strcmp(argv[i], "--socket") == 0) { i++; continue; }
        field(1, argv[i], (uint32_t)strlen(argv[i]));
    }
    for (char **v = environ; *v; v++)
        if (is_sent(*v)) field(2, *v, (uint32_t)strlen(*v));
    unsigned char terminal[3] = {0};
    uint16_t columns = 0;
    for (int fd = 2; fd >= 0; fd--) {
        struct winsize size;
        if (ioctl(fd, TIOCGWINSZ, &size) != 0) continue;
        terminal[0] |= (unsigned char)(1 << fd);
        if (fd > 0) columns = size.ws_col;
    }
    memcpy(terminal + 1, &columns, 2);
    field(3, terminal, 3);
}

static void send_frame(int fd, long end) {
    char request[sizeof frame + 4096];
    int n = snprintf(request, sizeof request,
                     "POST /v1/helper HTTP/1.0\r\nContent-Type: application/octet-stream\r\nContent-Length: %zu\r\n\r\n", used);
    memcpy(request + n, frame, used);
    size_t length = (size_t)n + used, sent = 0;
    while (sent < length) {
        ssize_t done = send(fd, request + sent, length - sent, MSG_NOSIGNAL);
        if (done >= 0) sent += (size_t)done;
        else if (errno == EAGAIN) wait_for(fd, POLLOUT, end);
        else if (errno != EINTR) break;
    }
}

/* Reads a reply: its head, then fields. The last field is the exit code, with which it exits, or a request for standard
 * input, with which it returns. */
static void receive(int fd, long end) {
    static unsigned char answer[262144];
    size_t got = 0, at = 0;
    int in_body = 0;
    for (;;) {
        ssize_t more = recv(fd, answer + got, sizeof answer - got, 0);
        if (more < 0 && errno == EINTR) continue;
        if (more < 0 && errno == EAGAIN) { wait_for(fd, POLLIN, end); continue; }
        if (more <= 0) _exit(75);
        got += (size_t)more;
        if (!in_body) {
            unsigned char *body = memmem(answer, got, "\r\n\r\n", 4);
            if (!body) continue;
            if (memcmp(answer + 8, " 200", 4) != 0) _exit(75);
            at = (size_t)(body - answer) + 4;
            if (at >= got) continue;
            if (answer[at++] != 1) _exit(75);
            in_body = 1;
        }
        while (got - at >= 5) {
            uint32_t size;
            memcpy(&size, answer + at + 1, 4);
            if (got - at - 5 < size) break;
            unsigned char tag = answer[at], *payload = answer + at + 5;
            if (tag == 1) write_all(1, payload, size);
            if (tag == 2) write_all(2, payload, size);
            if (tag == 3) { close(fd); _exit(size ? payload[0] : 75); }
            if (tag == 4) { close(fd); return; }
            at += 5 + size;
        }
    }
}

static size_t read_input(unsigned char *input, size_t room, long end) {
    size_t length = 0;
    for (;;) {
        wait_for(0, POLLIN, end);
        ssize_t more = read(0, input + length, room - length);
        if (more < 0 && errno == EINTR) continue;
        if (more < 0) _exit(1);
        if (more == 0) return length;
        length += (size_t)more;
        if (length == room) _exit(64);
    }
}

int main(int argc, char **argv) {
    long end = now_ms() + 30000;
    begin(argc, argv);
    size_t begun = used;
    unsigned char input[2048];
    size_t length = 0;
    for (int asked = 0; asked < 2; asked++) {
        int fd = reach_any();
        if (fd < 0) _exit(69);
        uint32_t left = (uint32_t)(end - now_ms());
        used = begun;
        field(5, &left, 4);
        if (asked) field(4, input, (uint32_t)length);
        send_frame(fd, end);
        receive(fd, end);
        if (!asked) length = read_input(input, sizeof input, end);
    }
    _exit(75);
}
