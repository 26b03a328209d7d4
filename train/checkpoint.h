/* A checkpoint: everything a trainer needs to go on as if it had not been stopped, in one safetensors file.
 *
 *   model.NAME    parameters           best.NAME     those of the best epoch, if they are kept
 *   optimizer.I   the optimizer's vectors, flat      training.NAME the fields of cst_training
 *   metrics       (epochs, columns)    blocks        (modules, 2, counts): function evaluations and steps
 *                                      block_seconds (modules, 2)
 * Metadata: format, version, precision, threads, optimizer (its type). */
#ifndef CST_TRAIN_CHECKPOINT_H
#define CST_TRAIN_CHECKPOINT_H

#include "formats/safetensors.h"
#include "train/trainer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* CST_EIO: the old file, if there is one, is as it was. */
CST_MUST_CHECK cst_status cst_checkpoint_save(const char *path, const cst_trainer *trainer, cst_error *error);

/* Open a checkpoint, checked as a file and for being one of this program's precision. The number of threads it was made
 * with is in *threads: another number would round otherwise. Close it with cst_safetensors_close. */
CST_MUST_CHECK cst_status cst_checkpoint_open(const char *path, cst_safetensors **file, int *threads, cst_error *error);

/* Put the trainer, made for the same experiment, where the checkpoint was. CST_EFORMAT if it does not fit; then the
 * trainer is good for nothing but being cleared. */
CST_MUST_CHECK cst_status cst_checkpoint_load(const cst_safetensors *file, cst_trainer *trainer, cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
