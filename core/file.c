#include "core/file.h"

#include "core/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

cst_status cst_fail_io(cst_error *error, const char *path, const char *what, int number)
{
    if (number == ENOMEM) return cst_fail(error, CST_ENOMEM, "%s: out of memory", path);
    return cst_fail(error, CST_EIO, "%s: %s: %s", path, what, strerror(number));
}

/* ---- reading ------------------------------------------------------------------------------------------------- */

/* O_NONBLOCK: opening waits for no writer of a pipe; then reading waits for what writers have to say, as always. A folder tells by
 * itself that it is one. */
cst_status cst_file_open(const char *path, int *handle, cst_error *error)
{
    struct stat about;
    *handle = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (*handle < 0) return cst_fail_io(error, path, "cannot open", errno);
    const bool known = fstat(*handle, &about) == 0;
    if (known && (S_ISREG(about.st_mode) || S_ISDIR(about.st_mode))) return CST_OK;
    if (known && S_ISFIFO(about.st_mode) && fcntl(*handle, F_SETFL, 0) == 0) return CST_OK;
    close(*handle);
    *handle = -1;
    return cst_fail(error, CST_EIO, "%s: cannot open: neither a regular file nor a pipe", path);
}

cst_status cst_file_open_stream(const char *path, FILE **stream, cst_error *error)
{
    int handle;
    *stream = NULL;
    CST_TRY(cst_file_open(path, &handle, error));
    *stream = fdopen(handle, "rb");
    if (*stream) return CST_OK;
    const int number = errno;
    close(handle);
    return cst_fail_io(error, path, "cannot open", number);
}

cst_status cst_file_read(const char *path, size_t limit, char **bytes, size_t *size, cst_error *error)
{
    FILE *stream;
    CST_TRY(cst_file_open_stream(path, &stream, error));
    /* In pieces, as a pipe does not tell its size. */
    cst_text text = {0};
    cst_text_add(&text, "", 0);
    char piece[1 << 14];
    size_t n;
    while (!text.failed && text.size <= limit && (n = fread(piece, 1, sizeof piece, stream)) > 0) {
        cst_text_add(&text, piece, n);
    }
    const int number = ferror(stream) ? errno : 0;
    fclose(stream);
    cst_status status = CST_OK;
    if (text.failed) {
        status = cst_fail(error, CST_ENOMEM, "%s: out of memory", path);
    } else if (number != 0) {
        status = cst_fail_io(error, path, "cannot read", number);
    } else if (text.size > limit) {
        status = cst_fail(error, CST_EIO, "%s: has more than %zu bytes", path, limit);
    }
    if (status != CST_OK) {
        free(text.data);
        return status;
    }
    *bytes = text.data;
    *size = text.size;
    return CST_OK;
}

/* ---- replacing ----------------------------------------------------------------------------------------------- */

static void forget(cst_new_file *file)
{
    free(file->path);
    free(file->temporary);
    *file = (cst_new_file){0};
}

/* Create PATH.tmpPID-0 or, if something of that name is left, the next that is free. */
static int create_temporary(const char *path, char **temporary)
{
    enum { ATTEMPTS = 1000 };
    for (int i = 0; i < ATTEMPTS; i++) {
        cst_text name = {0};
        cst_text_printf(&name, "%s.tmp%ld-%d", path, (long)getpid(), i);
        if (name.failed) {
            free(name.data);
            errno = ENOMEM;
            return -1;
        }
        const int handle = open(name.data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (handle >= 0) {
            *temporary = name.data;
            return handle;
        }
        free(name.data);
        if (errno != EEXIST) return -1;
    }
    return -1;
}

cst_status cst_new_file_create(const char *path, cst_new_file *file, cst_error *error)
{
    *file = (cst_new_file){0};
    file->path = strdup(path);
    if (!file->path) return cst_fail(error, CST_ENOMEM, "%s: out of memory", path);
    const int handle = create_temporary(path, &file->temporary);
    file->stream = handle < 0 ? NULL : fdopen(handle, "wb");
    if (file->stream) return CST_OK;
    const int number = errno;
    if (handle >= 0) {
        close(handle);
        unlink(file->temporary);
    }
    forget(file);
    return cst_fail_io(error, path, "cannot write", number);
}

/* A new name is on disk once its folder is. Some file systems cannot flush a folder; that is no failure. Allocates nothing,
 * as there is no way back: `path` is cut at its last slash for a moment. */
static int flush_folder(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash) *slash = '\0';
    const int folder = open(!slash ? "." : slash == path ? "/" : path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (slash) *slash = '/';
    if (folder < 0) return 0;
    const int number = fsync(folder) == 0 || errno == EINVAL || errno == ENOTSUP ? 0 : errno;
    close(folder);
    return number;
}

void cst_new_file_write(cst_new_file *file, const void *bytes, size_t n)
{
    if (n > 0 && fwrite(bytes, 1, n, file->stream) != n && file->failure == 0) file->failure = errno;
}

cst_status cst_new_file_commit(cst_new_file *file, cst_error *error)
{
    int number = file->failure;
    if (number == 0 && ferror(file->stream)) number = EIO; /* of a write to the stream itself */
    if (fflush(file->stream) != 0 && number == 0) number = errno;
    if (number == 0 && fsync(fileno(file->stream)) != 0) number = errno;
    if (fclose(file->stream) != 0 && number == 0) number = errno;
    file->stream = NULL;
    if (number == 0 && rename(file->temporary, file->path) != 0) number = errno;
    if (number != 0) {
        unlink(file->temporary);
    } else {
        number = flush_folder(file->path);
    }
    cst_status status = CST_OK;
    if (number != 0) status = cst_fail_io(error, file->path, "cannot write", number);
    forget(file);
    return status;
}

void cst_new_file_discard(cst_new_file *file)
{
    if (!file->stream) return;
    fclose(file->stream);
    unlink(file->temporary);
    forget(file);
}

/* The process that is writing it, from the name's end; 0: it is no such name. */
static long writer_of(const char *name, const char *target)
{
    const size_t n = strlen(target);
    char *end;
    if (strncmp(name, target, n) != 0 || strncmp(name + n, ".tmp", 4) != 0) return 0;
    const char *number = name + n + 4;
    const long writer = strtol(number, &end, 10);
    if (end == number || *end != '-' || !end[1] || strspn(end + 1, "0123456789") != strlen(end + 1)) return 0;
    return writer > 0 ? writer : 0;
}

bool cst_file_is_leftover(const char *name, const char *const *names)
{
    long writer = 0;
    for (size_t i = 0; names[i] && writer == 0; i++) writer = writer_of(name, names[i]);
    /* This process asks before it writes: a file with its number is of one that had it before. */
    return writer > 0 && (writer == (long)getpid() || (kill((pid_t)writer, 0) != 0 && errno == ESRCH));
}

void cst_folder_tidy(const char *folder, const char *const *names)
{
    DIR *dir = opendir(folder);
    for (const struct dirent *entry; dir && (entry = readdir(dir));) {
        if (!cst_file_is_leftover(entry->d_name, names)) continue;
        char *path = cst_path_join(folder, entry->d_name);
        if (path) unlink(path);
        free(path);
    }
    if (dir) closedir(dir);
}

cst_status cst_file_replace(const char *path, const void *bytes, size_t n, cst_error *error)
{
    cst_new_file file;
    CST_TRY(cst_new_file_create(path, &file, error));
    cst_new_file_write(&file, bytes, n);
    return cst_new_file_commit(&file, error);
}

/* O_NONBLOCK: no pipe is waited for. */
cst_status cst_file_append(const char *path, FILE **stream, cst_error *error)
{
    struct stat about;
    *stream = NULL;
    const int flags = O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
              handle = open(path, flags, 0666);
    if (handle < 0 && errno == ELOOP)
        return cst_fail(error, CST_EIO, "%s: is a symbolic link; not written through", path);
    if (handle < 0) return cst_fail_io(error, path, "cannot write", errno);
    const bool plain = fstat(handle, &about) == 0 && S_ISREG(about.st_mode);
    if (plain) *stream = fdopen(handle, "a+");
    const int number = errno;
    if (*stream) return CST_OK;
    close(handle);
    return plain ? cst_fail_io(error, path, "cannot write", number)
                 : cst_fail(error, CST_EIO, "%s: is not a regular file; not written to", path);
}

/* ---- paths --------------------------------------------------------------------------------------------------- */

bool cst_path_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

bool cst_path_is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

bool cst_path_is_link(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0 && S_ISLNK(info.st_mode);
}

bool cst_name_is_plain(const char *name)
{
    const size_t n = strlen(name);
    if (n == 0 || n > CST_LONGEST_NAME || name[0] == '.' || name[0] == '-') return false;
    return !strchr(name, '/') && cst_text_is_visible(name);
}

bool cst_path_stays_below(const char *path)
{
    if (!*path || *path == '/') return false;
    for (const char *part = path; *part;) {
        const size_t n = strcspn(part, "/");
        if (n == 2 && memcmp(part, "..", 2) == 0) return false;
        part += n;
        part += strspn(part, "/");
    }
    return true;
}

cst_status cst_folder_lock(const char *path, int *lock, cst_error *error)
{
    *lock = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*lock < 0) return cst_fail_io(error, path, "cannot open the folder", errno);
    if (flock(*lock, LOCK_EX | LOCK_NB) == 0) return CST_OK;
    const int number = errno;
    cst_folder_unlock(lock);
    if (number == EWOULDBLOCK) return cst_fail(error, CST_EBUSY, "%s: another process is at work in this folder", path);
    return cst_fail_io(error, path, "cannot lock the folder", number);
}

void cst_folder_unlock(int *lock)
{
    if (*lock >= 0) close(*lock);
    *lock = -1;
}

char *cst_path_join(const char *folder, const char *name)
{
    cst_text path = {0};
    cst_text_printf(&path, "%s/%s", folder, name);
    if (!path.failed) return path.data;
    free(path.data);
    return NULL;
}

cst_status cst_folder_create(const char *path, cst_error *error)
{
    char *part = strdup(path);
    if (!part) return cst_fail(error, CST_ENOMEM, "%s: out of memory", path);
    int number = 0;
    for (char *end = part; number == 0 && *end;) {
        end += strspn(end, "/");
        end += strcspn(end, "/");
        const char rest = *end;
        *end = '\0';
        if (mkdir(part, 0777) != 0) number = errno == EEXIST && cst_path_is_folder(part) ? 0 : errno;
        *end = rest;
    }
    free(part);
    return number == 0 ? CST_OK : cst_fail_io(error, path, "cannot make the folder", number);
}
