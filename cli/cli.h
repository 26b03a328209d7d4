/* The commands of the program `costate`, and the helpers that they share.
 *
 * A command is a cli_command in a file cmd_NAME.c. To add one: write that file, declare the command below, and add
 * it to the list in main.c. main.c parses the command line by the command's table of options and calls its run().
 *
 * The library neither prints nor exits: only this folder does. Within it, only output.c writes to stdout and stderr. */
#ifndef CST_CLI_CLI_H
#define CST_CLI_CLI_H

#include "core/config.h"
#include "train/run.h"

#include <stdbool.h>
#include <stddef.h>

/* The exit codes of the program. */
enum {
    CLI_DONE = 0,   /* success */
    CLI_FAILED = 1, /* the work failed or was interrupted */
    CLI_USAGE = 2   /* the command line, the config or the data are wrong; no work was done, and nothing was written */
};

/* ---- commands and the command line --------------------------------------------------------------------------- */

typedef struct cli_option {
    const char *name;  /* with its dashes: "--out" */
    const char *value; /* placeholder of the value in the help: "DIR". NULL: the option takes no value */
    const char *help;  /* one phrase, with the default if there is one */
} cli_option;

struct cli_line;

/* All strings are literals. No member is NULL. */
typedef struct cli_command {
    const char *name;
    const char *arguments;     /* what follows the name in the usage line: "CONFIG [OPTIONS]" */
    const char *summary;       /* one phrase for the list of all commands */
    const char *example;       /* one complete call, which --help shows */
    size_t least, most;        /* how many arguments the command takes, not counting options */
    const cli_option *options; /* the last entry has name NULL */
    /* Do the work, print results and errors, and return the exit code. */
    int (*run)(const struct cli_line *line);
} cli_command;

/* A parsed command line. Its strings point into argv; the arrays are valid while the command runs. */
typedef struct cli_line {
    const cli_command *command;
    size_t n_arguments, n_given;
    const char **arguments; /* (n_arguments) */
    struct cli_given {
        const char *name, *value; /* value is "" for an option that takes none */
    } * given;                    /* (n_given): the options in the order in which they were given */
} cli_line;

extern const cli_command cli_train, cli_compare, cli_check, cli_eval, cli_list, cli_plot, cli_data, cli_control,
    cli_sample, cli_version;

/* True if the option was given. */
bool cli_flag(const cli_line *line, const char *name);
/* The value of an option, the last one if it was given several times; NULL if it was not given. */
const char *cli_value(const cli_line *line, const char *name);
/* The values of an option that may be given several times, one per call. Set *i = 0 before the first call. NULL
 * after the last value. */
const char *cli_next(const cli_line *line, const char *name, size_t *i);
/* Set *number to the value of an option that is an integer from min to max, or to `fallback` if the option was not
 * given. On any other value it prints an error and returns false. */
bool cli_number(const cli_line *line, const char *name, size_t min, size_t max, size_t fallback, size_t *number);

/* ---- output: implemented in output.c, which alone writes to stdout and stderr -------------------------------- */

/* All output is escaped: control characters and malformed UTF-8 are printed as \x1b and the like (cst_text_visible), so
 * that text from foreign files cannot send commands to a terminal. */

/* Print to stdout. Newlines are kept. */
void cli_print(const char *format, ...) CST_PRINTF(1, 2);
/* Replace the current line by `text`, without a newline at its end. To be called only if stdout is a terminal. */
void cli_show_line(const char *text);
/* Erase the current line. To be called only if stdout is a terminal. */
void cli_clear_line(void);

/* ---- errors -------------------------------------------------------------------------------------------------- */

/* Print "costate: MESSAGE" to stderr as one line; newlines in the message are escaped as well. */
void cli_error(const char *format, ...) CST_PRINTF(1, 2);
/* Print the message of an error that was found before any work was done. Returns the exit code: CLI_USAGE, but
 * CLI_FAILED if memory ran out or another process uses the folder. */
int cli_refuse(const cst_error *error);
/* Print the message of an error that occurred during the work. Returns CLI_FAILED. */
int cli_fail(const cst_error *error);

/* ---- configs and runs ---------------------------------------------------------------------------------------- */

/* Load the config at `path` and apply --set and --threads. The caller frees the document with cst_document_free().
 * On failure it prints the error, sets *code to the exit code and returns NULL. */
cst_document *cli_load(const cli_line *line, const char *path, int *code);

/* Open the run in `folder` with its resulting weights, after applying --set and --threads to its config. Returns
 * CLI_DONE, or the exit code after printing the error; then nothing has to be released. The document must outlive the
 * run: the caller first clears the run with cst_run_clear(), then frees the document with cst_document_free(). */
int cli_open(const cli_line *line, const char *folder, cst_run *run, cst_document **document);

/* The options that cli_load and cli_open apply, for a command's table of options. */
#define CLI_CONFIG_OPTIONS                                                                                             \
    {"--set", "PATH=VALUE", "change a value of the config; may be given several times"},                               \
    {                                                                                                                  \
        "--threads", "N", "number of threads, instead of the config's"                                                 \
    }

/* ---- pictures ------------------------------------------------------------------------------------------------ */

/* Draw a plot as STEM.png and STEM.svg and print their names. If the runs have traces, draw the solver's steps as
 * STEM-steps.png and .svg as well. Errors: those of cst_plot_draw; CST_ENOMEM. */
struct cst_plot;
cst_status cli_draw(const struct cst_plot *plot, const char *stem, cst_error *error);

/* ---- progress ------------------------------------------------------------------------------------------------ */

/* Shows progress on stdout: one line that is updated in place on a terminal, otherwise a new line every few seconds,
 * and nothing if `quiet`. It also catches SIGINT (Ctrl-C) and SIGTERM: after the first one, training ends with the
 * current iteration and saves a checkpoint; a second one of the same kind ends the program at once. */
typedef struct cli_progress {
    bool quiet;
    bool terminal; /* stdout is a terminal */
    bool shown;    /* an updated line is visible and must be cleared before other output */
    double last;   /* cst_clock() when something was last printed */
} cli_progress;

/* Initialize *progress and install the signal handlers. There is nothing to clear. */
void cli_progress_init(cli_progress *progress, bool quiet);
/* Callbacks for a run, which print its progress. *progress must outlive the run. */
cst_run_events cli_progress_events(cli_progress *progress);
/* Show "WHAT DONE/TOTAL", for work other than training. Returns false if the work shall stop, after a signal. */
bool cli_progress_count(cli_progress *progress, const char *what, size_t done, size_t total);
/* Erase the updated line, if one is visible. Call it before other output. */
void cli_progress_clear_line(cli_progress *progress);

#endif
