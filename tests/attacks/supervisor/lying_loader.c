/* A loader that lies: hands everything between the supervisor and the honest loader on, with descriptors, but in each
 * TenantRecord exchanges the first occurrence of one uid for another.  Beside it lie the honest one ("honest-loader")
 * and the file with both numbers ("lie"). */
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SUPERVISOR = 3, MESSAGE_BYTES = 65536, TENANT_RECORD = 40, DESCRIPTORS = 8 };

static uint32_t truth, lie;

static void exchange(unsigned char* bytes, size_t size) {
  if (size < 4 || bytes[0] != TENANT_RECORD || bytes[1] != 0) return;
  for (size_t at = 4; at + sizeof truth <= size; ++at) {
    if (memcmp(bytes + at, &truth, sizeof truth) != 0) continue;
    memcpy(bytes + at, &lie, sizeof lie);
    return;
  }
}

/* 0 at the end of the peer. */
static int hand_on(int from, int to) {
  static unsigned char bytes[MESSAGE_BYTES];
  char control[CMSG_SPACE(DESCRIPTORS * sizeof(int))];
  struct iovec part = {bytes, sizeof bytes};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  const ssize_t size = recvmsg(from, &message, MSG_CMSG_CLOEXEC);
  if (size <= 0) return 0;
  if (to == SUPERVISOR) exchange(bytes, (size_t)size);
  part.iov_len = (size_t)size;
  if (sendmsg(to, &message, MSG_NOSIGNAL) != size) return 0;
  for (struct cmsghdr* c = CMSG_FIRSTHDR(&message); c != NULL; c = CMSG_NXTHDR(&message, c)) {
    const int* fds = (const int*)CMSG_DATA(c);
    for (size_t n = 0; n < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); ++n) close(fds[n]);
  }
  return 1;
}

int main(void) {
  static char honest[4096], path[4096];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof path - sizeof "honest-loader");
  if (length <= 0) return 1;
  strcpy(strrchr(path, '/') + 1, "honest-loader");
  strcpy(honest, path);
  strcpy(strrchr(path, '/') + 1, "lie");
  FILE* file = fopen(path, "re");
  int ends[2];
  if (file == NULL || fscanf(file, "%u %u", &truth, &lie) != 2) return 1;
  fclose(file);
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return 1;
  const pid_t child = fork();
  if (child < 0) return 1;
  if (child == 0) {
    dup2(ends[1], SUPERVISOR);
    execl(honest, "rowhouse-loader", (char*)NULL);
    _exit(127);
  }
  close(ends[1]);
  for (;;) {
    struct pollfd sockets[2] = {{SUPERVISOR, POLLIN, 0}, {ends[0], POLLIN, 0}};
    if (poll(sockets, 2, -1) < 0) return 1;
    if (sockets[0].revents != 0 && !hand_on(SUPERVISOR, ends[0])) return 0;
    if (sockets[1].revents != 0 && !hand_on(ends[0], SUPERVISOR)) return 0;
  }
}
