#include "core/status.h"

#include "core/text.h"

#include <stdarg.h>
#include <stdio.h>

/* Names and texts by code, from the list in core/status.h. */
static const char *const names[] = {
#define X(name, text) "CST_" #name,
    CST_STATUS_LIST(X)
#undef X
};

static const char *const texts[] = {
#define X(name, text) text,
    CST_STATUS_LIST(X)
#undef X
};

const char *cst_status_name(cst_status status)
{
    return (unsigned)status < CST_N_STATUS ? names[status] : "unknown status";
}

const char *cst_status_text(cst_status status)
{
    return (unsigned)status < CST_N_STATUS ? texts[status] : "unknown status";
}

cst_status cst_fail_at(cst_error *error, cst_status status, const char *file, int line, const char *format, ...)
{
    if (!error) return status;
    error->status = status;
    error->file = file;
    error->line = line;
    /* The message, which vsnprintf cuts if it is too long. */
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(error->message, sizeof error->message, format, args);
    va_end(args);
    /* A cut message ends with a whole character. */
    const size_t capacity = sizeof error->message - 1;
    if (n > 0 && (size_t)n >= capacity) error->message[cst_utf8_whole(error->message, capacity)] = '\0';
    return status;
}
