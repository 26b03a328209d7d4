#include "train/run_folder.h"

#include "core/file.h"
#include "train/difference.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Files that are replaced as a whole, through a temporary file that a crash may leave. The log is appended to. */
static const char *const replaced_files[] = {
    "config.json", "metrics.csv", "summary.json", "model.safetensors", "checkpoint.safetensors", "trace.csv", NULL};

/* ---- paths --------------------------------------------------------------------------------------------------- */

cst_run_paths *cst_run_paths_new(const char *folder)
{
    cst_run_paths *p = calloc(1, sizeof *p);
    if (!p) return NULL;
    /* Allocate all strings, then check them together. */
    p->folder = strdup(folder);
    p->config = cst_path_join(folder, "config.json");
    p->metrics = cst_path_join(folder, "metrics.csv");
    p->log = cst_path_join(folder, "log.txt");
    p->summary = cst_path_join(folder, "summary.json");
    p->model = cst_path_join(folder, "model.safetensors");
    p->checkpoint = cst_path_join(folder, "checkpoint.safetensors");
    p->trace = cst_path_join(folder, "trace.csv");
    if (p->folder && p->config && p->metrics && p->log && p->summary && p->model && p->checkpoint && p->trace) return p;
    cst_run_paths_free(p);
    return NULL;
}

void cst_run_paths_free(cst_run_paths *p)
{
    if (!p) return;
    char *const strings[] = {p->folder, p->config, p->metrics, p->log, p->summary, p->model, p->checkpoint, p->trace};
    for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++) free(strings[i]);
    free(p);
}

/* ---- checks -------------------------------------------------------------------------------------------------- */

/* Entries that an empty folder may have: itself, its parent, and temporary files of a crashed run. */
static bool is_negligible(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || cst_file_is_leftover(name, replaced_files);
}

cst_status cst_run_folder_check_empty(const cst_run_paths *p, bool resuming, cst_error *error)
{
    /* A missing folder is empty. */
    DIR *folder = opendir(p->folder);
    if (!folder) return errno == ENOENT ? CST_OK : cst_fail_io(error, p->folder, "cannot open the folder", errno);
    bool empty = true;
    for (const struct dirent *entry; empty && (entry = readdir(folder));) empty = is_negligible(entry->d_name);
    closedir(folder);
    if (empty) return CST_OK;
    if (resuming)
        return cst_fail(error, CST_ECONFIG, "%s: this folder has files but no run to resume; use another with --out",
                        p->folder);
    return cst_fail(error, CST_ECONFIG,
                    "%s: this folder already has files; to resume its run, add --resume --out %s to its train command, "
                    "or use another folder with --out",
                    p->folder, p->folder);
}

cst_status cst_run_folder_check_config(const cst_run_paths *p, cst_config config, cst_error *error)
{
    /* These change how long or how fast a run trains, but not what its iterations compute. */
    static const char *const except[] = {"name", "threads", "epochs", "save_every", NULL};
    char *difference = NULL;
    cst_document *before = NULL;
    cst_status status = cst_document_load(p->config, &before, error);
    if (status == CST_OK) status = cst_config_difference(cst_document_root(before), config, except, &difference, error);
    /* Only the first difference is reported. */
    if (difference)
        status = cst_config_fail(config, error,
                                 "cannot resume the run in %s: its config has another \"%s\"; use another folder",
                                 p->folder, difference);
    free(difference);
    cst_document_free(before);
    return status;
}

/* ---- taking the folder --------------------------------------------------------------------------------------- */

cst_status cst_run_folder_claim(const cst_run_paths *p, int *lock, cst_error *error)
{
    CST_TRY(cst_folder_create(p->folder, error));
    if (*lock < 0) {
        /* The folder did not exist when the run was prepared: another process may have created it since. */
        CST_TRY(cst_folder_lock(p->folder, lock, error));
        if (cst_path_exists(p->config))
            return cst_fail(error, CST_EBUSY, "%s: another process has begun a run in this folder", p->folder);
    }
    cst_folder_tidy(p->folder, replaced_files);
    return CST_OK;
}

cst_status cst_run_folder_remove_summary(const cst_run_paths *p, cst_error *error)
{
    if (unlink(p->summary) == 0 || errno == ENOENT) return CST_OK;
    return cst_fail_io(error, p->summary, "cannot remove", errno);
}
