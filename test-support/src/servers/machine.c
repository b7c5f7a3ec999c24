/* Stands between a process and its machine: a test steps the clock and fills the disk of the processes
 * that load this library. A full disk rejects each write that makes a file longer; the output of a
 * process is not on it. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct machine {
    int64_t ahead_micros;
    int64_t is_full;
};

static const volatile struct machine *machine;

__attribute__((constructor)) static void load(void) {
    const char *path = getenv("TEST_MACHINE");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) {
        return;
    }
    void *mapped = mmap(NULL, sizeof(struct machine), PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    machine = mapped == MAP_FAILED ? NULL : mapped;
}

int clock_gettime(clockid_t id, struct timespec *now) {
    int result = syscall(SYS_clock_gettime, id, now);
    if (result == 0 && machine && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
        int64_t micros = machine->ahead_micros + now->tv_nsec / 1000;
        int64_t seconds = micros / 1000000, rest = micros % 1000000;
        if (rest < 0) {
            seconds--;
            rest += 1000000;
        }
        now->tv_sec += seconds;
        now->tv_nsec = rest * 1000 + now->tv_nsec % 1000;
    }
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    (void)zone;
    struct timespec precise;
    int result = clock_gettime(CLOCK_REALTIME, &precise);
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return result;
}

time_t time(time_t *seconds) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (seconds) {
        *seconds = now.tv_sec;
    }
    return now.tv_sec;
}

/* Whether the disk has no space for a file of this length. */
static int is_full(int fd, off_t length) {
    struct stat file;
    return machine && machine->is_full && fd > STDERR_FILENO && fstat(fd, &file) == 0
        && S_ISREG(file.st_mode) && length > file.st_size;
}

/* Whether the disk has no space for a write at the position of the file. */
static int is_full_at_end(int fd, size_t count) {
    if (!machine || !machine->is_full) {
        return 0;
    }
    int flags = fcntl(fd, F_GETFL);
    struct stat file;
    if (flags >= 0 && flags & O_APPEND && fstat(fd, &file) == 0) {
        return is_full(fd, file.st_size + (off_t)count);
    }
    off_t at = lseek(fd, 0, SEEK_CUR);
    return at >= 0 && is_full(fd, at + (off_t)count);
}

static size_t sum(const struct iovec *parts, int count) {
    size_t total = 0;
    for (int i = 0; i < count; i++) {
        total += parts[i].iov_len;
    }
    return total;
}

static int no_space(void) {
    errno = ENOSPC;
    return -1;
}

ssize_t write(int fd, const void *bytes, size_t count) {
    return is_full_at_end(fd, count) ? no_space() : syscall(SYS_write, fd, bytes, count);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    return is_full_at_end(fd, sum(parts, count)) ? no_space() : syscall(SYS_writev, fd, parts, count);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) {
    return is_full(fd, at + (off_t)count) ? no_space() : syscall(SYS_pwrite64, fd, bytes, count, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off_t at) {
    return pwrite(fd, bytes, count, at);
}

int fallocate(int fd, int mode, off_t from, off_t length) {
    return is_full(fd, from + length) ? no_space() : syscall(SYS_fallocate, fd, mode, from, length);
}

int fallocate64(int fd, int mode, off_t from, off_t length) {
    return fallocate(fd, mode, from, length);
}

int posix_fallocate(int fd, off_t from, off_t length) {
    return fallocate(fd, 0, from, length) == 0 ? 0 : errno;
}

int posix_fallocate64(int fd, off_t from, off_t length) {
    return posix_fallocate(fd, from, length);
}

int ftruncate(int fd, off_t length) {
    return is_full(fd, length) ? no_space() : syscall(SYS_ftruncate, fd, length);
}

int ftruncate64(int fd, off_t length) {
    return ftruncate(fd, length);
}
