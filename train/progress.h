/* What training says while it goes on: lines of text, without their end. */
#ifndef CST_TRAIN_PROGRESS_H
#define CST_TRAIN_PROGRESS_H

#include "train/trainer.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { CST_PROGRESS_LINE = 320 };

/* "0.8 s", "42 s", "3:07", "1:02:33" */
const char *cst_duration_text(double seconds, char text[32]);

/* Within an epoch: "epoch 2/5  231/469  loss 0.4321  accuracy 84.31 %  nfe 26.0 + 38.0  9.8 it/s  0:42 left". The two NFE
 * are forward and backward, means an iteration of the epoch so far. */
const char *cst_progress_text(const cst_trainer *trainer, char text[CST_PROGRESS_LINE]);

/* At its end, with what the evaluation found. */
const char *cst_epoch_text(const cst_trainer *trainer, const cst_metrics *metrics, char text[CST_PROGRESS_LINE]);

#ifdef __cplusplus
}
#endif
#endif
