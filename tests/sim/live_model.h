#ifndef KIN_TESTS_SIM_LIVE_MODEL_H
#define KIN_TESTS_SIM_LIVE_MODEL_H
/* MatchIds over time, from the rules in coordinator/registry.h and by definition: from the
 * partition of the records after each batch it says which id each MatchGroup has, what became of
 * the other ids, and what is told of it. And a reader of the change feed that believes nothing.
 * Shares nothing with the product but kin_match_id. One thread; aborts when out of memory. */
#include "common/workflow/workflow.h"

struct live_member { /* a record that is there, and the number of its group */
    uint32_t source; /* index in the workflow */
    char id[32];
    int group;
    bool minted; /* of a step, new: its id was answered ahead, so it was a group of its own first */
};

enum live_state { LIVE_IS_LIVE, LIVE_IS_ALIAS, LIVE_IS_GONE };

struct live_id {
    char text[33];
    enum live_state state;
    uint64_t born; /* batch */
    uint32_t founder_source;
    char founder_id[32];
    int survivor;   /* of an alias: the id (by place) whose it became; may be one itself by now */
    int split_from; /* -1: none */
    bool untold;    /* within a step: nobody knows of it but who was answered */
};

struct live_model {
    const struct kin_workflow *workflow;
    const uint8_t *key;
    struct live_id *ids; /* all there ever were */
    int id_count;
    struct live_member *members; /* by (source, id); group: place of its id */
    int member_count;
    char **events; /* of the last step, sorted: one canonical line each, see live_feed_settle */
    int event_count;
};

struct live_model *live_model_new(const struct kin_workflow *workflow, const uint8_t key[16]);
void live_model_free(struct live_model *m);

/* After a batch these records are there, in these groups. No two of one identity. */
void live_model_step(struct live_model *m, uint64_t batch, const struct live_member *members,
                     int count);

/* Of a record, by its text; NULL: no such record, or no such id. */
const struct live_id *live_model_of(const struct live_model *m, uint32_t source, const char *id);
const struct live_id *live_model_find(const struct live_model *m, const char *text);
/* The id that the record would found a group with now. */
void live_model_next_id(const struct live_model *m, uint32_t source, const char *id, char out[33]);
/* What an id stands for now: itself, or the end of its chain of aliases. */
const struct live_id *live_model_resolve(const struct live_model *m, const struct live_id *id);

/* ---- the change feed ---- */

struct live_feed {
    struct live_model *model; /* as of the last line that was settled */
    char **lines;             /* [seq - 1] as they were read first */
    int line_count, settled;
    struct live_member *minted; /* records whose id was answered ahead, ever */
    int minted_count;
};

struct live_feed *live_feed_new(const struct kin_workflow *workflow, const uint8_t key[16]);
void live_feed_free(struct live_feed *f);

/* One line as read, in any order and any number of times, but never beyond the next one: what was
 * told once must not change, and numbers have no gaps. false, with a message. */
bool live_feed_take(struct live_feed *f, const char *line, size_t bytes);

/* A record that was put with `mint` is first made a group of its own, and matched only then: a
 * batch may begin with such groups. */
void live_feed_minted(struct live_feed *f, uint32_t source, const char *id);

/* Replays the lines since the last time; the last one must be the last of its batch. From created,
 * joined and left of each batch follows a partition of the records; from that the model says what
 * must be told, and exactly that, in any order within the batch, must have been told. So this
 * checks every id, survivor and founder in the feed. false, with a message. */
bool live_feed_settle(struct live_feed *f);

#endif
