/* System calls on files that fail, or at which the process is killed, on request. One source of a program defines
 * TEST_DEFINE_IO and includes this header, which then defines open, fsync, rename, unlink and mkdir in place of the C
 * library's. Calls that the C library makes itself, as in fopen, are not affected. */
#ifndef CST_TESTS_FAILING_IO_H
#define CST_TESTS_FAILING_IO_H

#include <stddef.h>

/* From now on, the k-th of these calls fails with errno `number`; if `number` is 0, the process is killed before that
 * call. With k = 0 no call fails. */
void test_io_at(size_t k, int number);

/* The number of calls since test_io_at. */
size_t test_io_count(void);

/* The number of files that, since then, were renamed over another file without a flush of the file just before, or of
 * their folder just after. A power failure could leave such a file empty, or undo the rename. */
size_t test_io_unflushed(void);

#ifdef TEST_DEFINE_IO

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
    size_t at, count, unflushed;
    int number;
    ino_t flushed;      /* the file that fsync was called for last */
    bool folder_is_due; /* a file was renamed, and its folder has not been flushed since */
} test_io;

void test_io_at(size_t k, int number)
{
    test_io.at = k;
    test_io.number = number;
    test_io.count = test_io.unflushed = 0;
    test_io.folder_is_due = false;
}

size_t test_io_count(void)
{
    return test_io.count;
}

size_t test_io_unflushed(void)
{
    return test_io.unflushed + test_io.folder_is_due;
}

static bool test_io_fails(void)
{
    if (++test_io.count != test_io.at) return false;
    if (test_io.number == 0) raise(SIGKILL);
    errno = test_io.number;
    return true;
}

int open(const char *path, int flags, ...)
{
    mode_t mode = 0;
    if (flags & O_CREAT) {
        va_list arguments;
        va_start(arguments, flags);
        mode = va_arg(arguments, mode_t);
        va_end(arguments);
    }
    return test_io_fails() ? -1 : openat(AT_FDCWD, path, flags, mode);
}

int fsync(int handle)
{
    struct stat info;
    if (test_io_fails()) return -1;
    if (fstat(handle, &info) == 0) test_io.flushed = info.st_ino;
    if (S_ISDIR(info.st_mode)) test_io.folder_is_due = false;
    return fdatasync(handle);
}

int rename(const char *from, const char *to)
{
    struct stat info;
    if (test_io_fails()) return -1;
    if (stat(from, &info) != 0 || info.st_ino != test_io.flushed || test_io.folder_is_due) test_io.unflushed++;
    test_io.folder_is_due = true;
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int unlink(const char *path)
{
    return test_io_fails() ? -1 : unlinkat(AT_FDCWD, path, 0);
}

int mkdir(const char *path, mode_t mode)
{
    return test_io_fails() ? -1 : mkdirat(AT_FDCWD, path, mode);
}

#endif
#endif
