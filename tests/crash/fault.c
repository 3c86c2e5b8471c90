/* Makes the n-th change to a file below FAULT_FOLDER fail, for tests that show what survives a bad disk.
 *
 * FAULT_AT=n     which call fails, counted from 1; 0 only counts
 * FAULT_ERRNO=e  28 (no space left) stays so from the n-th call on for calls that need space; others (5: input/output
 *                error) happen once
 * FAULT_COUNT=f  a file that is kept at the number of calls so far (written with a raw system call, not counted)
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static long calls;

static int below(int fd) {
    const char *folder = getenv("FAULT_FOLDER");
    char link[64], path[4096];
    if (!folder) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n <= 0) return 0;
    path[n] = 0;
    return !strncmp(path, folder, strlen(folder));
}

static int fails(int needs_space) {
    const char *at = getenv("FAULT_AT"), *number = getenv("FAULT_ERRNO"), *count = getenv("FAULT_COUNT");
    long n = __sync_add_and_fetch(&calls, 1), when = at ? atol(at) : 0;
    int error = number ? atoi(number) : EIO;
    if (count) {
        char text[32];
        int length = snprintf(text, sizeof text, "%020ld", n); /* same width: a kill cuts nothing */
        long fd = syscall(SYS_openat, AT_FDCWD, count, O_WRONLY | O_CREAT, 0600);
        if (fd >= 0) { syscall(SYS_write, fd, text, length); syscall(SYS_close, fd); }
    }
    if (!when) return 0;
    if (n == when || (error == ENOSPC && n > when && needs_space)) { errno = error; return 1; }
    return 0;
}

#define REAL(name) static __typeof__(&name) real; if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

ssize_t write(int fd, const void *buffer, size_t size) { REAL(write); if (below(fd) && fails(1)) return -1; return real(fd, buffer, size); }
ssize_t writev(int fd, const struct iovec *v, int n) { REAL(writev); if (below(fd) && fails(1)) return -1; return real(fd, v, n); }
ssize_t pwrite(int fd, const void *b, size_t s, off_t o) { REAL(pwrite); if (below(fd) && fails(1)) return -1; return real(fd, b, s, o); }
ssize_t pwrite64(int fd, const void *b, size_t s, off64_t o) { REAL(pwrite64); if (below(fd) && fails(1)) return -1; return real(fd, b, s, o); }
ssize_t pwritev(int fd, const struct iovec *v, int n, off_t o) { REAL(pwritev); if (below(fd) && fails(1)) return -1; return real(fd, v, n, o); }
int fsync(int fd) { REAL(fsync); if (below(fd) && fails(0)) return -1; return real(fd); }
int fdatasync(int fd) { REAL(fdatasync); if (below(fd) && fails(0)) return -1; return real(fd); }
int ftruncate(int fd, off_t l) { REAL(ftruncate); if (below(fd) && fails(1)) return -1; return real(fd, l); }
int ftruncate64(int fd, off64_t l) { REAL(ftruncate64); if (below(fd) && fails(1)) return -1; return real(fd, l); }
int posix_fallocate(int fd, off_t o, off_t l) { REAL(posix_fallocate); if (below(fd) && fails(1)) return errno; return real(fd, o, l); }
int fallocate(int fd, int m, off_t o, off_t l) { REAL(fallocate); if (below(fd) && fails(1)) return -1; return real(fd, m, o, l); }
