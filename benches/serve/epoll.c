// The least that a server on an event loop does: an epoll instance, a recorded answer, and no check of anything.
//
// Usage: epoll SOCKET ANSWER LAST_ANSWER. A request that asks to close the connection gets the last answer.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct answer {
  char bytes[65536];
  size_t length;
};

static struct answer answer, last_answer;

static void check(int ok, const char *what) {
  if (!ok) {
    perror(what);
    exit(1);
  }
}

static void load(struct answer *into, const char *path) {
  FILE *file = fopen(path, "rb");
  check(file != NULL, path);
  into->length = fread(into->bytes, 1, sizeof into->bytes, file);
  fclose(file);
}

// Answers the request that has come. A whole request comes at once, and the socket has room for its answer.
static void serve(int connection) {
  char request[4096];
  ssize_t length = read(connection, request, sizeof request - 1);
  if (length < 0 && errno == EAGAIN)
    return;
  if (length <= 0) {
    close(connection);
    return;
  }
  request[length] = 0;
  int is_last = strstr(request, "\r\nConnection: close\r\n") != NULL;
  struct answer *made = is_last ? &last_answer : &answer;
  ssize_t written = write(connection, made->bytes, made->length);
  if (is_last || written != (ssize_t)made->length)
    close(connection);
}

int main(int count, char **arguments) {
  if (count != 4)
    return 2;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, arguments[1], sizeof address.sun_path - 1);
  load(&answer, arguments[2]);
  load(&last_answer, arguments[3]);
  int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  check(bind(listener, (struct sockaddr *)&address, sizeof address) == 0, "bind");
  check(listen(listener, 4096) == 0, "listen");
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
  check(epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) == 0, "epoll_ctl");
  for (;;) {
    struct epoll_event events[64];
    int ready = epoll_wait(epoll, events, 64, -1);
    for (int n = 0; n < ready; n++) {
      if (events[n].data.fd != listener) {
        serve(events[n].data.fd);
        continue;
      }
      int connection = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (connection < 0)
        continue;
      event.data.fd = connection;
      if (epoll_ctl(epoll, EPOLL_CTL_ADD, connection, &event) != 0)
        close(connection);
    }
  }
}
