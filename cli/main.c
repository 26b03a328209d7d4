/* The program costate: it parses the command line and runs one command. */
#include "cli/cli.h"

#include "core/blas.h"
#include "core/real.h"
#include "core/text.h"
#include "core/version.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const cli_command *const commands[] = {&cli_train, &cli_compare, &cli_check,  &cli_eval,    &cli_list, &cli_plot,
                                              &cli_data,  &cli_control, &cli_sample, &cli_version, NULL};

/* ---- help ---------------------------------------------------------------------------------------------------- */

/* The list of commands. */
static void print_help(void)
{
    cli_print("costate %s (%s): trains networks with neural ODE layers from JSON configs\n\n", CST_VERSION,
              CST_REAL_NAME);
    for (size_t i = 0; commands[i]; i++)
        cli_print("  costate %-8s %-28s %s\n", commands[i]->name, commands[i]->arguments, commands[i]->summary);
    cli_print("\n  costate help COMMAND   print a command's options and an example; so does costate COMMAND --help\n"
              "  costate --version      the same as costate version\n\n"
              "Exit codes: 0 success, 1 the run failed, 2 the command line or the config is wrong.\n");
}

/* The help of one command: usage, summary, options, example. */
static void print_command(const cli_command *command)
{
    cli_print("costate %s %s\n    %s\n", command->name, command->arguments, command->summary);
    for (const cli_option *o = command->options; o->name; o++) {
        char usage[64];
        snprintf(usage, sizeof usage, "%s %s", o->name, o->value ? o->value : "");
        cli_print("  %-22s %s\n", usage, o->help);
    }
    cli_print("\nExample: %s\n", command->example);
}

/* ---- names of commands and options --------------------------------------------------------------------------- */

/* NULL, after an error that suggests the nearest name, if no command has this name. */
static const cli_command *find_command(const char *name)
{
    const char *nearest = commands[0]->name;
    for (size_t i = 0; commands[i]; i++) {
        if (strcmp(commands[i]->name, name) == 0) return commands[i];
        if (cst_text_distance(name, commands[i]->name) < cst_text_distance(name, nearest)) nearest = commands[i]->name;
    }
    cli_error("unknown command \"%s\"; the nearest is \"%s\". Run costate help for a list", name, nearest);
    return NULL;
}

/* The option whose name is the first n bytes of `name`; NULL, after an error, if the command has no such option. */
static const cli_option *find_option(const cli_command *command, const char *name, size_t n)
{
    const cli_option *nearest = NULL;
    char given[64];
    snprintf(given, sizeof given, "%.*s", (int)n, name);
    for (const cli_option *o = command->options; o->name; o++) {
        if (strcmp(o->name, given) == 0) return o;
        if (!nearest || cst_text_distance(given, o->name) < cst_text_distance(given, nearest->name)) nearest = o;
    }
    if (nearest)
        cli_error("%s: unknown option %s; the nearest is %s", command->name, given, nearest->name);
    else
        cli_error("%s: unknown option %s; this command has no options", command->name, given);
    return NULL;
}

/* ---- parsing ------------------------------------------------------------------------------------------------- */

/* Parse the option at argv[*i]. Its value follows '=' or is the next word; *i is then moved to that word. */
static bool take_option(cli_line *line, int argc, char **argv, int *i)
{
    const char *word = argv[*i], *equals = strchr(word, '=');
    const size_t n = equals ? (size_t)(equals - word) : strlen(word);
    const cli_option *option = find_option(line->command, word, n);
    if (!option) return false;
    struct cli_given *given = &line->given[line->n_given++];
    *given = (struct cli_given){option->name, ""};

    /* An option without a value. */
    if (!option->value) {
        if (equals) cli_error("%s: %s takes no value", line->command->name, option->name);
        return !equals;
    }

    /* An option with a value, which must not be empty. */
    if (equals) {
        given->value = equals + 1;
    } else if (*i + 1 < argc) {
        given->value = argv[++*i];
    } else {
        given->value = "";
    }
    if (!*given->value)
        cli_error("%s: %s expects a value: %s %s", line->command->name, option->name, option->name, option->value);
    return *given->value != '\0';
}

/* Sort the words after the command into options and arguments. After "--", every word is an argument; so is "-"
 * alone. */
static bool parse(cli_line *line, int argc, char **argv)
{
    bool options = true;
    for (int i = 2; i < argc; i++) {
        if (options && strcmp(argv[i], "--") == 0)
            options = false;
        else if (options && argv[i][0] == '-' && argv[i][1]) {
            if (!take_option(line, argc, argv, &i)) return false;
        } else
            line->arguments[line->n_arguments++] = argv[i];
    }
    const cli_command *c = line->command;
    if (line->n_arguments >= c->least && line->n_arguments <= c->most) return true;
    cli_error("usage: costate %s%s%s. Run costate help %s for its options", c->name, *c->arguments ? " " : "",
              c->arguments, c->name);
    return false;
}

/* Parse the command line and run the command. Returns the exit code. */
static int run_command(const cli_command *command, int argc, char **argv)
{
    /* No more than argc words can be arguments or options. */
    cli_line line = {.command = command};
    line.arguments = calloc((size_t)argc, sizeof *line.arguments);
    line.given = calloc((size_t)argc, sizeof *line.given);
    int code = CLI_USAGE;
    if (!line.arguments || !line.given) {
        cli_error("out of memory");
        code = CLI_FAILED;
    } else if (parse(&line, argc, argv)) {
        code = command->run(&line);
    }
    free(line.arguments);
    free(line.given);

    /* Output to a full disk fails only when the buffer is written: a success must not hide that. */
    if (fflush(stdout) != 0 && code == CLI_DONE) {
        cli_error("cannot write to the standard output");
        code = CLI_FAILED;
    }
    return code;
}

int main(int argc, char **argv)
{
    cst_blas_own_process();
    const char *name = argc > 1 ? argv[1] : "help";

    /* costate help [COMMAND]; without any word this is a usage error. */
    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        if (argc < 3) {
            print_help();
            return argc < 2 ? CLI_USAGE : CLI_DONE;
        }
        const cli_command *command = find_command(argv[2]);
        if (command) print_command(command);
        return command ? CLI_DONE : CLI_USAGE;
    }

    /* costate COMMAND ...; --help anywhere after the command prints its help and does nothing else. */
    if (strcmp(name, "--version") == 0) name = cli_version.name;
    const cli_command *command = find_command(name);
    if (!command) return CLI_USAGE;
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--help") != 0 && strcmp(argv[i], "-h") != 0) continue;
        print_command(command);
        return CLI_DONE;
    }
    return run_command(command, argc, argv);
}
