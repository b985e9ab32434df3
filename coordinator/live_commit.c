#include "coordinator/live.h"

/* What a batch changed goes to the store, all of it or nothing; then those who wait are told. */

static void committed(struct live *live, kin_status status)
{
    struct live_batch *b = live->batches;
    live->committing = false;
    if (live->state != LIVE_SERVING)
        return;
    if (status != KIN_OK) {
        live_broken(live, status, "a batch cannot be committed");
        return;
    }
    live->applied = b->seq;
    live->next_event = b->next_event;
    live->batches = b->next;
    if (!live->batches)
        live->batches_end = &live->batches;
    live->backlog--;
    live_answer_puts(live, b, true);
    live_batch_drop(b);
    live_changes_wake(live, false);
    live_apply(live);
    live_form(live);
}

void live_commit(struct live *live, struct live_batch *b)
{
    struct live_key log = live_key_log(live->slot, b->seq);
    live_put_applied(live, &b->store, b->seq, b->next_event);
    live_put_delete(&b->store, DB_LOG, live_key_str(&log));
    live->committing = true;
    if (live_store(live, &b->store, committed) != KIN_OK) {
        live->committing = false;
        live_broken(live, KIN_E_NOMEM, "out of memory");
    }
}
