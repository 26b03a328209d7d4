#include "train/tally.h"

#include "ode/stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The number of modules in the tree of m, itself included. */
static size_t count_modules(const cst_module *m)
{
    size_t n = 1;
    for (size_t i = 0; i < m->n_children; i++) n += count_modules(m->children[i].module);
    return n;
}

/* Append entries for m and then for its descendants. A name is PARENT.NAME, cut at the length of a tensor's name. */
static void add_modules(cst_tally *tally, const cst_module *m, const char *parent, const char *name)
{
    cst_block_counts *block = &tally->blocks[tally->n_blocks++];
    block->module = m;
    /* The name: that of the parent, a dot unless the parent is the model itself, and the own one. */
    const size_t used = strlen(parent);
    memcpy(block->name, parent, used + 1);
    snprintf(block->name + used, sizeof block->name - used, "%s%s", used > 0 ? "." : "", name);
    for (size_t i = 0; i < m->n_children; i++)
        add_modules(tally, m->children[i].module, block->name, m->children[i].name);
}

cst_status cst_tally_init(cst_tally *tally, const cst_module *model, cst_error *error)
{
    *tally = (cst_tally){0};
    tally->blocks = calloc(count_modules(model), sizeof *tally->blocks);
    if (!tally->blocks) return cst_fail(error, CST_ENOMEM, "out of memory");
    add_modules(tally, model, "", "");
    return CST_OK;
}

void cst_tally_clear(cst_tally *tally)
{
    free(tally->blocks);
    *tally = (cst_tally){0};
}

void cst_tally_reset(cst_tally *tally)
{
    /* Counts and times only: names, modules and the listener stay. */
    memset(tally->total, 0, sizeof tally->total);
    for (size_t i = 0; i < tally->n_blocks; i++) {
        memset(tally->blocks[i].counts, 0, sizeof tally->blocks[i].counts);
        memset(tally->blocks[i].seconds, 0, sizeof tally->blocks[i].seconds);
    }
}

/* to += from. */
static void add(cst_counts *to, const cst_counts *from)
{
    to->nfe += from->nfe;
    to->quadrature_nfe += from->quadrature_nfe;
    to->solves += from->solves;
    to->accepted += from->accepted;
    to->rejected += from->rejected;
    to->failed += from->failed;
}

/* The observer's callback: add one solve to the totals and to its block, and pass it to the listener. */
static void solved(void *context, const cst_module *block, bool backward, const cst_solve_stats *stats)
{
    /* The totals count every block. */
    cst_tally *tally = context;
    const cst_counts counts = {stats->nfe,      stats->quadrature_nfe, stats->solves,
                               stats->accepted, stats->rejected,       stats->failure != CST_OK};
    const int direction = backward ? CST_BACKWARD : CST_FORWARD;
    add(&tally->total[direction], &counts);
    /* Find the block by its module. */
    for (size_t i = 0; i < tally->n_blocks; i++) {
        if (tally->blocks[i].module != block) continue;
        add(&tally->blocks[i].counts[direction], &counts);
        tally->blocks[i].seconds[direction] += stats->seconds;
        if (counts.failed) tally->failed = tally->blocks[i].name;
        if (tally->listener.solved)
            tally->listener.solved(tally->listener.context, tally->blocks[i].name, backward, stats);
        return;
    }
}

cst_observer cst_tally_observer(cst_tally *tally)
{
    return (cst_observer){.context = tally, .trace = tally->trace, .solved = solved};
}

void cst_counts_add_difference(cst_counts *to, const cst_counts *now, const cst_counts *before)
{
    /* Counts never decrease, so that the differences do not wrap. */
    const cst_counts difference = {now->nfe - before->nfe,           now->quadrature_nfe - before->quadrature_nfe,
                                   now->solves - before->solves,     now->accepted - before->accepted,
                                   now->rejected - before->rejected, now->failed - before->failed};
    add(to, &difference);
}
