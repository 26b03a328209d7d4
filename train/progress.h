/* Texts about the progress of training: single lines, without a newline. Each function writes into `text` and returns
 * it. A line that would be too long is cut. */
#ifndef CST_TRAIN_PROGRESS_H
#define CST_TRAIN_PROGRESS_H

#include "train/trainer.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { CST_PROGRESS_LINE = 320 }; /* bytes of a line, with the ending null */

/* A duration, such as "0.8 s", "42 s", "3:07" or "1:02:33". */
const char *cst_duration_text(double seconds, char text[32]);

/* The state within an epoch: "epoch 2/5  231/469  loss 0.4321  accuracy 84.31 %  nfe 26.0 + 38.0  9.8 it/s  0:42 left".
 * Loss, accuracy and NFE (forward + backward evaluations per iteration) are means over the epoch so far. Numbers that
 * are not known yet are left out. */
const char *cst_progress_text(const cst_trainer *trainer, char text[CST_PROGRESS_LINE]);

/* The result of an epoch: "epoch 2/5  train loss 0.4321 accuracy 84.31 %  validation loss ...  nfe 26.0 + 38.0  rejected
 * 1.0 + 2.5  0:48". */
const char *cst_epoch_text(const cst_trainer *trainer, const cst_metrics *metrics, char text[CST_PROGRESS_LINE]);

#ifdef __cplusplus
}
#endif
#endif
