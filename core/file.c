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

/* O_NONBLOCK: opening a pipe does not wait for a writer. It is cleared afterwards, so that reading waits for the
 * data of writers. Reading a folder fails by itself with a good message. */
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
    /* Read in pieces, because the size of a pipe is not known. Stop once the limit is exceeded. */
    cst_text text = {0};
    cst_text_add(&text, "", 0);
    char piece[1 << 14];
    size_t n;
    while (!text.failed && text.size <= limit && (n = fread(piece, 1, sizeof piece, stream)) > 0) {
        cst_text_add(&text, piece, n);
    }
    /* Report what ended the loop. */
    const int number = ferror(stream) ? errno : 0;
    fclose(stream);
    cst_status status = CST_OK;
    if (text.failed) {
        status = cst_fail(error, CST_ENOMEM, "%s: out of memory", path);
    } else if (number != 0) {
        status = cst_fail_io(error, path, "cannot read", number);
    } else if (text.size > limit) {
        status = cst_fail(error, CST_EIO, "%s: expected at most %zu bytes, got more", path, limit);
    }
    if (status != CST_OK) {
        free(text.data);
        return status;
    }
    *bytes = text.data;
    *size = text.size;
    return CST_OK;
}

/* ---- writing ------------------------------------------------------------------------------------------------- */

/* Free the paths; the struct is empty afterwards. */
static void clear_new_file(cst_new_file *file)
{
    free(file->path);
    free(file->temporary);
    *file = (cst_new_file){0};
}

/* Create PATH.tmpPID-0, or the first of PATH.tmpPID-1, -2 ... that does not exist. Returns a descriptor, or -1 with
 * errno. */
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
    /* A copy of the path, for the rename. */
    file->path = strdup(path);
    if (!file->path) return cst_fail(error, CST_ENOMEM, "%s: out of memory", path);
    /* Create the temporary file as a stream. */
    const int handle = create_temporary(path, &file->temporary);
    file->stream = handle < 0 ? NULL : fdopen(handle, "wb");
    if (file->stream) return CST_OK;
    /* Undo what succeeded. */
    const int number = errno;
    if (handle >= 0) {
        close(handle);
        unlink(file->temporary);
    }
    clear_new_file(file);
    return cst_fail_io(error, path, "cannot write", number);
}

/* Flush the folder of `path`: a rename is on disk only when its folder is. Returns 0 or an errno; a file system that
 * cannot flush folders is no failure. It allocates nothing, because running out of memory after the rename could not
 * be undone: instead, `path` is cut at its last slash for the duration of the call. */
static int flush_folder(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash) *slash = '\0';
    /* The folder is "." for a plain name, and "/" for a file in the root. */
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
    /* The first failure of the writes, of flushing to disk, or of closing. */
    int number = file->failure;
    if (number == 0 && ferror(file->stream)) number = EIO; /* the caller wrote to the stream directly */
    if (fflush(file->stream) != 0 && number == 0) number = errno;
    if (number == 0 && fsync(fileno(file->stream)) != 0) number = errno;
    if (fclose(file->stream) != 0 && number == 0) number = errno;
    /* Rename the file, or remove it after a failure. */
    file->stream = NULL;
    if (number == 0 && rename(file->temporary, file->path) != 0) number = errno;
    if (number != 0) {
        unlink(file->temporary);
    } else {
        number = flush_folder(file->path);
    }
    cst_status status = CST_OK;
    if (number != 0) status = cst_fail_io(error, file->path, "cannot write", number);
    clear_new_file(file);
    return status;
}

void cst_new_file_discard(cst_new_file *file)
{
    if (!file->stream) return;
    fclose(file->stream);
    unlink(file->temporary);
    clear_new_file(file);
}

/* If `name` is a temporary name for `target`, "TARGET.tmpPID-N", return the process that created it; otherwise 0. */
static long writer_of(const char *name, const char *target)
{
    /* TARGET, ".tmp", a process, "-", digits. */
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
    /* Called before this process writes: a temporary file with our pid was left by an earlier process with the same
     * pid. */
    return writer > 0 && (writer == (long)getpid() || (kill((pid_t)writer, 0) != 0 && errno == ESRCH));
}

void cst_folder_tidy(const char *folder, const char *const *names)
{
    /* A folder that cannot be read has nothing to remove. */
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

/* O_NOFOLLOW: symbolic links are refused. O_NONBLOCK: opening a pipe does not wait. */
cst_status cst_file_append(const char *path, FILE **stream, cst_error *error)
{
    struct stat about;
    *stream = NULL;
    const int flags = O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
              handle = open(path, flags, 0666);
    if (handle < 0 && errno == ELOOP)
        return cst_fail(error, CST_EIO, "%s: is a symbolic link; refusing to write through it", path);
    if (handle < 0) return cst_fail_io(error, path, "cannot write", errno);
    /* Accept regular files only. */
    const bool plain = fstat(handle, &about) == 0 && S_ISREG(about.st_mode);
    if (plain) *stream = fdopen(handle, "a+");
    const int number = errno;
    if (*stream) return CST_OK;
    close(handle);
    return plain ? cst_fail_io(error, path, "cannot write", number)
                 : cst_fail(error, CST_EIO, "%s: is not a regular file; refusing to write to it", path);
}

/* ---- paths and folders --------------------------------------------------------------------------------------- */

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
    /* No component may be "..". */
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
    /* The lock belongs to the descriptor, so that it ends with the process. */
    if (flock(*lock, LOCK_EX | LOCK_NB) == 0) return CST_OK;
    const int number = errno;
    cst_folder_unlock(lock);
    if (number == EWOULDBLOCK) return cst_fail(error, CST_EBUSY, "%s: another process is using this folder", path);
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
    /* Create each prefix that ends before a slash, from the shortest on. Existing folders are fine. */
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
    return number == 0 ? CST_OK : cst_fail_io(error, path, "cannot create the folder", number);
}
