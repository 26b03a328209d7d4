/* Files and folders. Files are read as a whole. A file is also replaced as a whole: the new one is written under a
 * temporary name in the same folder, flushed to disk and renamed, so that a reader sees either the old or the new file,
 * even after a crash. */
#ifndef CST_CORE_FILE_H
#define CST_CORE_FILE_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Write the message "PATH: WHAT: reason" for an errno. Returns CST_ENOMEM for ENOMEM, and CST_EIO for all others. */
cst_status cst_fail_io(cst_error *error, const char *path, const char *what, int number);

/* ---- reading ------------------------------------------------------------------------------------------------- */

/* Open a regular file, a folder or a named pipe for reading, as a descriptor or as a stream. The caller closes it.
 * Opening never blocks: a pipe without a writer is read as an empty file. On failure the result is -1 or NULL.
 * Errors: CST_EIO, also for devices; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_file_open(const char *path, int *handle, cst_error *error);
CST_MUST_CHECK cst_status cst_file_open_stream(const char *path, FILE **stream, cst_error *error);

/* Read a whole file into memory that the caller frees with free(). A NUL follows the bytes; size does not count it.
 * Errors: CST_EIO if the file cannot be read or has more than `limit` bytes; CST_ENOMEM. Then *bytes and *size are
 * unchanged. */
CST_MUST_CHECK cst_status cst_file_read(const char *path, size_t limit, char **bytes, size_t *size, cst_error *error);

/* ---- writing ------------------------------------------------------------------------------------------------- */

/* A file that will replace the one at `path` when it is complete. Create it, write to it, then commit or discard it. */
typedef struct cst_new_file {
    FILE *stream; /* NULL after commit or discard */
    int failure;  /* errno of the first write that failed, or 0 */
    char *path, *temporary;
} cst_new_file;

/* Create the temporary file. Errors: CST_EIO, CST_ENOMEM; then no temporary file is left, and cst_new_file_discard is
 * not needed. */
CST_MUST_CHECK cst_status cst_new_file_create(const char *path, cst_new_file *file, cst_error *error);
/* Write n bytes. A failure is remembered and reported by commit. */
void cst_new_file_write(cst_new_file *file, const void *bytes, size_t n);
/* Flush the new file to disk and rename it to its path. Afterwards the struct is empty, whatever the result. Errors:
 * CST_EIO if a write, the flush or the rename failed, and then the old file is unchanged and the new one is removed;
 * CST_EIO also if only the folder could not be flushed after the rename. */
CST_MUST_CHECK cst_status cst_new_file_commit(cst_new_file *file, cst_error *error);
/* Remove the new file and leave the old one unchanged. It is a no-op after commit. */
void cst_new_file_discard(cst_new_file *file);

/* Returns whether `name` is the temporary name of a replacement for one of `names` (a list ended by NULL) that was not
 * committed because its process died. Call it before this process writes to the folder. */
bool cst_file_is_leftover(const char *name, const char *const *names);
/* Remove all these files from a folder. Failures are ignored. */
void cst_folder_tidy(const char *folder, const char *const *names);

/* Replace a file by n bytes: create, write and commit in one call. Errors: those of the three functions. */
CST_MUST_CHECK cst_status cst_file_replace(const char *path, const void *bytes, size_t n, cst_error *error);

/* Open a file for appending and reading; it is created if it does not exist. The caller closes the stream, which is
 * NULL on failure. Errors: CST_EIO, also for symbolic links and anything but a regular file, because a link could
 * lead to a file of another user; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_file_append(const char *path, FILE **stream, cst_error *error);

/* ---- paths and folders --------------------------------------------------------------------------------------- */

/* Returns whether the path exists; whether it is a folder; whether it is a symbolic link, even if its target does not
 * exist. The first two follow links. */
bool cst_path_exists(const char *path);
bool cst_path_is_folder(const char *path);
bool cst_path_is_link(const char *path);

/* Returns "FOLDER/NAME", which the caller frees with free(); NULL if memory is exhausted. */
char *cst_path_join(const char *folder, const char *name);

/* Create a folder and all its parents that do not exist. Errors: CST_EIO, CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_folder_create(const char *path, cst_error *error);

/* Lock a folder against other processes that lock it, until cst_folder_unlock or the end of the process. *lock is -1
 * on failure. Errors: CST_EBUSY if another process holds the lock; CST_EIO. */
CST_MUST_CHECK cst_status cst_folder_lock(const char *path, int *lock, cst_error *error);
/* Release the lock and set *lock to -1. It is a no-op if *lock is -1. */
void cst_folder_unlock(int *lock);

/* ---- names from untrusted sources, such as a file from the internet ------------------------------------------ */

/* Returns whether a string is safe as the name of a folder, or as a part of the name: 1 to CST_LONGEST_NAME bytes, no
 * slash, no control character, and neither '.' nor '-' at the beginning. CST_NAME_RULE is this rule in words, for
 * messages. */
enum { CST_LONGEST_NAME = 200 }; /* file systems allow 255 bytes, and "-compare" and the like are appended */
#define CST_NAME_RULE                                                                                                  \
    "a name for a folder (1 to 200 bytes without '/' or control characters, not beginning with '.' or '-')"
bool cst_name_is_plain(const char *name);
/* Returns whether a path stays below the folder to which it is relative: it is not absolute and has no component
 * "..". */
bool cst_path_stays_below(const char *path);

#ifdef __cplusplus
}
#endif
#endif
