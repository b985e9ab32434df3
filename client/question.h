#ifndef KIN_CLIENT_QUESTION_H
#define KIN_CLIENT_QUESTION_H
/* One question to the coordinator, asked until it is answered. A core over common/env/env.h. Loop
 * thread. */
#include "proto/message.h"

struct kin_question {
    struct kin_message ask; /* borrowed until stop; its request number is set here */
    uint32_t answer;        /* the type of message that answers it */
    uint32_t patience_ms;   /* 0: 10,000 */
    /* Once. status KIN_OK: the answer and its payload, borrowed for the call; else KIN_E_IO, no
     * coordinator answers in time, or KIN_E_VERSION, it does but speaks otherwise. */
    void (*on_answer)(void *arg, kin_status status, const struct kin_message *answer,
                      struct kin_str payload);
    void *arg;
};

/* args: struct kin_question */
extern const struct kin_node_ops kin_question_ops;

#endif
