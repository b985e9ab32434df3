#ifndef KIN_CLIENT_LIVE_STREAM_H
#define KIN_CLIENT_LIVE_STREAM_H
/* Requests to a cluster that serves, one or several under way, each asked until it is answered:
 * what is lost is asked again, what is refused because of too much work is asked later. A core over
 * common/env/env.h. It asks the STATUS first, so that nothing is sent before a coordinator answers.
 *
 * What is asked comes from `next`, and answers go to `take` in the order of asking. Both are tasks,
 * one at a time, so they may read and write files and share what they like. Once a coordinator has
 * answered, it is waited for as long as it takes. */
#include "proto/message.h"

enum kin_stream_next {
    KIN_STREAM_ASK,   /* *ask is filled */
    KIN_STREAM_DRAIN, /* `next` is called again when all that is under way was taken */
    KIN_STREAM_LATER, /* the same, after ask->delay_ms */
    KIN_STREAM_END,   /* there is no more: the end comes when all that is under way was taken */
    KIN_STREAM_FAIL   /* err is filled: the end */
};

struct kin_stream_ask {
    struct kin_message message; /* its request number is the stream's; texts are borrowed */
    struct kin_buf payload;     /* consumed */
    uint32_t answer;            /* type of message that answers it; 0: KIN_MSG_ANSWER */
    uint32_t patience_ms;       /* until it is asked again, at first; 0: 2,000 */
    uint64_t delay_ms;          /* of KIN_STREAM_LATER */
    void *user;                 /* the caller's */
};

enum { KIN_STREAM_WINDOW_MAX = 64 };

struct kin_stream_args {
    unsigned window; /* under way at once, 1..KIN_STREAM_WINDOW_MAX */
    /* Requests change something, and `next` drains where their order counts. Then what was asked
     * twice and answered once holds back what follows for a moment, lest the second copy is obeyed
     * last. */
    bool ordered;
    uint32_t patience_ms; /* for the first answer; 0: 10,000 */
    /* [task] DRAIN while nothing is under way is a bug of the caller. */
    enum kin_stream_next (*next)(void *arg, struct kin_stream_ask *ask, struct kin_err *err);
    /* [task] An answer, whatever its status, but never KIN_E_BUSY; borrowed for the call. Anything
     * but KIN_OK is the end. */
    kin_status (*take)(void *arg, struct kin_stream_ask *ask, const struct kin_message *answer,
                       struct kin_str payload, struct kin_err *err);
    /* [loop] Once. KIN_OK; KIN_E_IO: no coordinator answers (heard is false); KIN_E_VERSION; or
     * what next or take said. */
    void (*on_end)(void *end_arg, kin_status status, bool heard, const char *text);
    void *arg;
    void *end_arg;
};

/* args: struct kin_stream_args, borrowed */
extern const struct kin_node_ops kin_stream_ops;

/* The status and text of an ANSWER. KIN_OK, or err is filled with what the coordinator says. */
kin_status kin_stream_refusal(const struct kin_message *answer, struct kin_err *err);

#endif
