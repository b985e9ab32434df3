#ifndef KIN_CLIENT_TRAIN_LABELS_H
#define KIN_CLIENT_TRAIN_LABELS_H
/* A model from labels (client/labels.h): `kindred train --labels`. docs/model.md says what is
 * learnt from what. Main thread; blocks while the sources are read, twice. */
#include "common/workflow/workflow.h"

/* The workflow must have a model. Appends the model's file and the report on it. A label of a
 * record that is not there, of one that several sources have, of a record with itself, or one that
 * contradicts another: the message names file and line. Other errors as kin_labels_read,
 * kin_records_read and kin_train. Same records and labels, same bytes; the order of neither
 * matters. */
kin_status kin_train_from_labels(const struct kin_workflow *workflow, const char *labels_path,
                                 struct kin_buf *model, struct kin_buf *report,
                                 struct kin_err *err) KIN_MUST_CHECK;

#endif
