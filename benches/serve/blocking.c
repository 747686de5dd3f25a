// A server with one thread that serves one connection after the other, with the five system calls of pizauth's: accept,
// read, write, shutdown, close. One silent client would make all others wait.
//
// Usage: blocking SOCKET ANSWER

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int count, char **arguments) {
  if (count != 3)
    return 2;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, arguments[1], sizeof address.sun_path - 1);
  static char answer[65536];
  FILE *file = fopen(arguments[2], "rb");
  if (file == NULL)
    return 1;
  size_t length = fread(answer, 1, sizeof answer, file);
  fclose(file);
  int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 4096) != 0) {
    perror("bind");
    return 1;
  }
  for (;;) {
    int connection = accept(listener, NULL, NULL);
    if (connection < 0)
      continue;
    char request[4096];
    if (read(connection, request, sizeof request) > 0 && write(connection, answer, length) == (ssize_t)length)
      shutdown(connection, SHUT_WR);
    close(connection);
  }
}
