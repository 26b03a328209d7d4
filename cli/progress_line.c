/* The part of cli.h that shows progress and catches signals. */
#include "cli/cli.h"

#include "core/clock.h"
#include "train/progress.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* On a terminal the line is updated this often; elsewhere, in a log file for example, there is a new line this
 * often. */
static const double seconds_between_updates = 0.2, seconds_between_lines = 15;

/* Set by the first signal. A second one of the same kind ends the program at once: note_signal restores the default
 * action. */
static volatile sig_atomic_t was_interrupted;

static void note_signal(int number)
{
    was_interrupted = 1;
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigaction(number, &action, NULL);
}

void cli_progress_clear_line(cli_progress *p)
{
    if (p->shown) cli_clear_line();
    p->shown = false;
}

/* Callback for a line that also goes to the log of the run. */
static void print_line(void *context, const char *text)
{
    cli_progress *p = context;
    if (p->quiet) return;
    cli_progress_clear_line(p);
    cli_print("%s\n", text);
    fflush(stdout);
    p->last = cst_clock();
}

/* True if it is time for another update or line. */
static bool due(const cli_progress *p)
{
    return !p->quiet && cst_clock() - p->last >= (p->terminal ? seconds_between_updates : seconds_between_lines);
}

/* Show progress: replace the line on a terminal, print a new one elsewhere. */
static void show(cli_progress *p, const char *text)
{
    p->last = cst_clock();
    if (p->terminal) {
        cli_show_line(text);
        p->shown = true;
    } else {
        cli_print("%s\n", text);
    }
    fflush(stdout);
}

/* Callback after an iteration of training. */
static void print_iteration(void *context, const cst_trainer *trainer)
{
    char text[CST_PROGRESS_LINE];
    if (due(context)) show(context, cst_progress_text(trainer, text));
}

bool cli_progress_count(cli_progress *p, const char *what, size_t done, size_t total)
{
    char text[CST_PROGRESS_LINE];
    snprintf(text, sizeof text, "%s %zu/%zu", what, done, total);
    if (done < total && due(p)) show(p, text);
    if (done >= total) cli_progress_clear_line(p);
    return was_interrupted == 0;
}

/* Callback: true ends the run after the current iteration, with a checkpoint. */
static bool interrupted(void *context)
{
    (void)context;
    return was_interrupted != 0;
}

void cli_progress_init(cli_progress *p, bool quiet)
{
    *p = (cli_progress){.quiet = quiet, .terminal = isatty(STDOUT_FILENO) != 0, .last = cst_clock()};
    struct sigaction action = {.sa_handler = note_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

cst_run_events cli_progress_events(cli_progress *p)
{
    return (cst_run_events){.context = p, .line = print_line, .iteration = print_iteration, .interrupted = interrupted};
}
