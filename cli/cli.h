/* The program's commands and what they share. Only this folder prints and exits. */
#ifndef CST_CLI_CLI_H
#define CST_CLI_CLI_H

#include "core/config.h"
#include "train/run.h"

#include <stdbool.h>
#include <stddef.h>

/* Exit codes. */
enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

/* ---- the command line ---------------------------------------------------------------------------------------- */

typedef struct cli_option {
    const char *name;  /* "--out" */
    const char *value; /* what its value is called, "DIR"; NULL: it has none */
    const char *help;
} cli_option;

struct cli_line;

typedef struct cli_command {
    const char *name, *arguments, *summary;
    size_t least, most;        /* arguments beside options */
    const cli_option *options; /* ended by a NULL name */
    int (*run)(const struct cli_line *line);
} cli_command;

/* A command line taken apart: points into argv. */
typedef struct cli_line {
    const cli_command *command;
    size_t n_arguments, n_given;
    const char **arguments;
    struct cli_given {
        const char *name, *value;
    } * given; /* options in order */
} cli_line;

extern const cli_command cli_train, cli_compare, cli_check, cli_eval, cli_list, cli_plot, cli_data, cli_control,
    cli_sample;

bool cli_flag(const cli_line *line, const char *name);
const char *cli_value(const cli_line *line, const char *name); /* the last one given; NULL if there is none */
/* The next value of an option that may be given several times; *i begins at 0. NULL if there is none. */
const char *cli_next(const cli_line *line, const char *name, size_t *i);

/* A whole number from min to max; false, and said so, if the value is something else. */
bool cli_number(const cli_line *line, const char *name, size_t min, size_t max, size_t fallback, size_t *number);

/* ---- output, of which cli/output.c alone writes ------------------------------------------------------------------ */

/* On stdout, in lines that end in newlines. Other control characters in it, and malformed UTF-8, are shown as \x1b and the like
 * (cst_text_visible), here and below. */
void cli_print(const char *format, ...) CST_PRINTF(1, 2);
/* On a terminal: a line in the place of the one that is there, and nothing in its place. */
void cli_show_line(const char *text);
void cli_clear_line(void);

/* ---- errors -------------------------------------------------------------------------------------------------- */

/* "costate: MESSAGE" on stderr, in one line. */
void cli_error(const char *format, ...) CST_PRINTF(1, 2);

/* Say what went wrong before anything was done, or after; returns the exit code. */
int cli_refuse(const cst_error *error);
int cli_fail(const cst_error *error);

/* ---- configs ------------------------------------------------------------------------------------------------- */

/* Load a config and apply --set and --threads. NULL, and the code to exit with, if that fails. */
cst_document *cli_load(const cli_line *line, const char *path, int *code);

/* Open a run for its resulting weights, with --set and --threads applied. Unless CLI_DONE is returned, there is nothing to be
 * cleared. */
int cli_open(const cli_line *line, const char *folder, cst_run *run, cst_document **document);

#define CLI_CONFIG_OPTIONS                                                                                             \
    {"--set", "PATH=VALUE", "change a value of the config; may be given several times"},                               \
    {                                                                                                                  \
        "--threads", "N", "threads, instead of the config's"                                                           \
    }

/* ---- pictures ------------------------------------------------------------------------------------------------ */

/* Draw a plot as STEM, and the solver's steps, where there are traces, as STEM-steps; say which files there are. */
struct cst_plot;
cst_status cli_draw(const struct cst_plot *plot, const char *stem, cst_error *error);

/* ---- progress ------------------------------------------------------------------------------------------------ */

/* On a terminal one line that changes, otherwise a line every few seconds; quiet: nothing. Ctrl-C and SIGTERM end training
 * after the iteration at hand. */
typedef struct cli_progress {
    bool quiet, terminal, shown;
    double last; /* when something was printed */
} cli_progress;

void cli_progress_init(cli_progress *progress, bool quiet);
cst_run_events cli_progress_events(cli_progress *progress);
/* "WHAT DONE/TOTAL" as such a line, for work that is no training; false after Ctrl-C. */
bool cli_progress_count(cli_progress *progress, const char *what, size_t done, size_t total);
void cli_progress_clear_line(cli_progress *progress);

#endif
