/* Files read as a whole, and files replaced as a whole: written under a temporary name beside the old one, flushed to
 * disk and renamed, so that whoever reads sees the old file or the new one. */
#ifndef CST_CORE_FILE_H
#define CST_CORE_FILE_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* "PATH: WHAT: reason" for an errno: CST_EIO, or CST_ENOMEM where the reason is that. */
cst_status cst_fail_io(cst_error *error, const char *path, const char *what, int number);

/* Open a file for reading. No other file may make the program wait: CST_EIO for devices, and a named pipe that nobody writes to is empty.
 * CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_file_open(const char *path, int *handle, cst_error *error); /* -1 on failure */
CST_MUST_CHECK cst_status cst_file_open_stream(const char *path, FILE **stream, cst_error *error);

/* A file's bytes, to be freed with free(); a NUL follows them. CST_EIO if it cannot be read or has more than `limit`
 * bytes, CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_file_read(const char *path, size_t limit, char **bytes, size_t *size, cst_error *error);

/* A file about to replace another. Write to it, then commit or discard. */
typedef struct cst_new_file {
    FILE *stream; /* NULL once it has ended */
    int failure;  /* errno of the first write that failed */
    char *path, *temporary;
} cst_new_file;

CST_MUST_CHECK cst_status cst_new_file_create(const char *path, cst_new_file *file, cst_error *error);
void cst_new_file_write(cst_new_file *file, const void *bytes, size_t n); /* commit reports what went wrong */
/* CST_EIO if anything could not be written, now or before: then the old file is as it was. Ends the new one in any
 * case. */
CST_MUST_CHECK cst_status cst_new_file_commit(cst_new_file *file, cst_error *error);
void cst_new_file_discard(cst_new_file *file); /* remove it; nothing to do if it has ended */

/* Whether `name` is that of a new file in the place of one of `names` (ended by NULL), whose writer died before its end. */
bool cst_file_is_leftover(const char *name, const char *const *names);
/* Remove such files from a folder. */
void cst_folder_tidy(const char *folder, const char *const *names);

/* All of that at once. */
CST_MUST_CHECK cst_status cst_file_replace(const char *path, const void *bytes, size_t n, cst_error *error);

/* Open a file to add to its end, and to read; it is made if it is not there. CST_EIO also where it is no plain file: what is added to a
 * link would end up in somebody else's file. */
CST_MUST_CHECK cst_status cst_file_append(const char *path, FILE **stream, cst_error *error);

/* ---- paths --------------------------------------------------------------------------------------------------- */

bool cst_path_exists(const char *path);
bool cst_path_is_folder(const char *path);

/* Make a folder and those above it, as far as they are not there. CST_EIO. */
CST_MUST_CHECK cst_status cst_folder_create(const char *path, cst_error *error);

/* Keep other processes that ask the same from a folder, until cst_folder_unlock or the process's end. CST_EBUSY where one of
 * them was first; CST_EIO. *lock is -1 where there is none, and cst_folder_unlock then does nothing. */
CST_MUST_CHECK cst_status cst_folder_lock(const char *path, int *lock, cst_error *error);
void cst_folder_unlock(int *lock);

/* Whether a name that is not the user's own may become that of a folder, or a part of it: 1 to CST_LONGEST_NAME bytes, none of them a
 * slash or a control character, the first neither '.' nor '-'. CST_NAME_RULE says so in a message. */
enum { CST_LONGEST_NAME = 200 }; /* file systems allow 255: room for "-compare" and the like */
#define CST_NAME_RULE                                                                                                  \
    "a name for a folder (1 to 200 bytes without '/' or control characters, not beginning with '.' or '-')"
bool cst_name_is_plain(const char *name);
/* Whether a path that is not the user's own stays below the folder it is in: relative, without "..". */
bool cst_path_stays_below(const char *path);
bool cst_path_is_link(const char *path); /* symbolic, wherever it leads */

/* "FOLDER/NAME", to be freed with free(); NULL if out of memory. */
char *cst_path_join(const char *folder, const char *name);

#ifdef __cplusplus
}
#endif
#endif
