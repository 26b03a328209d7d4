/* The folder of a run: the paths of its files (train/run.h lists them), and the checks and locks that keep a run from
 * writing over another one. */
#ifndef CST_TRAIN_RUN_FOLDER_H
#define CST_TRAIN_RUN_FOLDER_H

#include "core/config.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The path of every file that a run may have in its folder, whether the file exists or not. All strings are allocated
 * and belong to the structure. */
typedef struct cst_run_paths {
    char *folder;
    char *config, *metrics, *log, *summary, *model, *checkpoint, *trace;
} cst_run_paths;

/* Join the folder with the name of each file. The files are not touched. Free the result with cst_run_paths_free.
 * Returns NULL when out of memory. */
cst_run_paths *cst_run_paths_new(const char *folder);
/* NULL is a no-op. */
void cst_run_paths_free(cst_run_paths *paths);

/* Check that a new run may begin in the folder: it must be missing or empty. Temporary files that a crashed run left
 * are allowed. `resuming` only changes the advice in the message. Errors: CST_ECONFIG for a folder with anything else
 * in it, CST_EIO for one that cannot be read. */
CST_MUST_CHECK cst_status cst_run_folder_check_empty(const cst_run_paths *paths, bool resuming, cst_error *error);

/* Check that config.json equals `config`, under which the run is to be resumed. The root's keys name, threads, epochs
 * and save_every may differ. Errors: CST_ECONFIG naming the first key that differs; CST_EIO and CST_EFORMAT for a
 * config.json that cannot be read; CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_run_folder_check_config(const cst_run_paths *paths, cst_config config, cst_error *error);

/* Create the folder unless it exists, lock it unless *lock already holds it, and remove the temporary files of writers
 * that crashed. *lock is -1 for "not locked"; release it with cst_folder_unlock. Errors: CST_EBUSY where another
 * process holds the lock, or has begun a run in the folder since this one checked it; CST_EIO. */
CST_MUST_CHECK cst_status cst_run_folder_claim(const cst_run_paths *paths, int *lock, cst_error *error);

/* Delete summary.json: a run that continues after its end has a stale one. A missing file is no error. Errors: CST_EIO.
 * */
CST_MUST_CHECK cst_status cst_run_folder_remove_summary(const cst_run_paths *paths, cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
