/* A full disk, for a program that this is loaded before (LD_PRELOAD).

   While the file that FULL_DISK names is there, no file grows whose path holds what is written in
   it: as on a real one, what was written before can be written over. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

/* Whether the file must not reach this far; errno says why then, and is left alone else. */
static int is_full(int fd, off_t end)
{
    char link[64], path[1024], there[128];
    struct stat file;
    ssize_t length;
    int kept = errno, full = 0, flag = open(getenv("FULL_DISK"), O_RDONLY);

    if (flag >= 0) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        length = readlink(link, path, sizeof path - 1);
        path[length > 0 ? length : 0] = 0;
        length = read(flag, there, sizeof there - 1);
        there[length > 0 ? length : 0] = 0;
        close(flag);
        full = strstr(path, there) && !fstat(fd, &file) && end > file.st_size;
    }
    errno = full ? ENOSPC : kept;
    return full;
}

static off_t length_of(const struct iovec *parts, int count)
{
    off_t all = 0;
    while (count--)
        all += parts++->iov_len;
    return all;
}

ssize_t write(int fd, const void *bytes, size_t count)
{
    REAL(ssize_t, write, int, const void *, size_t);
    off_t at = lseek(fd, 0, SEEK_CUR);
    return at >= 0 && is_full(fd, at + count) ? -1 : real(fd, bytes, count);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at)
{
    REAL(ssize_t, pwrite, int, const void *, size_t, off_t);
    return is_full(fd, at + count) ? -1 : real(fd, bytes, count, at);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at)
{
    REAL(ssize_t, pwritev, int, const struct iovec *, int, off_t);
    return is_full(fd, at + length_of(parts, count)) ? -1 : real(fd, parts, count, at);
}

int posix_fallocate(int fd, off_t at, off_t count)
{
    REAL(int, posix_fallocate, int, off_t, off_t);
    return is_full(fd, at + count) ? ENOSPC : real(fd, at, count);
}

int fallocate(int fd, int mode, off_t at, off_t count)
{
    REAL(int, fallocate, int, int, off_t, off_t);
    return is_full(fd, at + count) ? -1 : real(fd, mode, at, count);
}
