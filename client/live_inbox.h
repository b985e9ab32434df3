#ifndef KIN_CLIENT_LIVE_INBOX_H
#define KIN_CLIENT_LIVE_INBOX_H
/* A directory that is watched: a file dropped there is put to a cluster, and what came of it is
 * written beside (docs/live-commands.md has the layout). Requests and answers for
 * client/live_stream.h; tasks of it, but open and close, which come before and after.
 *
 * A file is taken once, whatever crashes: the journal (.kindred-inbox) names the one file that is
 * in work and the number of the last change before it; it is durable before the file is moved to
 * taken/, and removed after the file is moved to done/. In between anything may be done again: PUTs
 * may be repeated, and outputs get their names when they are complete, report.json last. */
#include "client/live_put.h"

#include <stdio.h>

enum { KIN_INBOX_LOOK_MS = 500, KIN_INBOX_STILL_MS = 2000 };

/* A file that is in work. Names are relative to the directory of the inbox. */
struct kin_inbox_item {
    char *name;      /* where it was dropped: "people.csv", "crm/people.csv" */
    char *as;        /* what it is called in taken/, done/, failed/ and out/ */
    char *source;    /* "": the workflow's only one */
    uint64_t before; /* number of the last change before it */
    bool again;      /* taken up after a crash */
};

struct inbox_seen;

struct kin_inbox {
    /* by the caller; borrowed */
    const char *dir;
    struct kin_str workflow;
    const char *source; /* of files in dir itself; NULL: files may be in subdirectories */
    bool once;          /* end when no file is left */
    void (*say)(void *arg, const char *text);
    void *arg;
    /* to be looked at */
    uint64_t done, failed;

    /* private */
    int lock;
    int step;
    bool looked;   /* for a journal */
    bool asked;    /* what the next step depends on */
    bool unserved; /* the workflow, when it was asked last */
    bool told;     /* that it is */
    struct kin_inbox_item item;
    struct inbox_seen *seen; /* files that may not be complete */
    size_t seen_count;
    struct kin_put put;
    struct kin_buf path_put, text;
    FILE *matches, *errors, *changes;
    uint64_t after, cursor, change_count, begun_ms;
    char error[512]; /* why the file fails; "" */
};

/* Makes the directories and locks dir. KIN_E_BUSY: another one watches it. */
kin_status kin_inbox_open(struct kin_inbox *b, struct kin_err *err) KIN_MUST_CHECK;
enum kin_stream_next kin_inbox_next(struct kin_inbox *b, struct kin_stream_ask *ask,
                                    struct kin_err *err);
kin_status kin_inbox_take(struct kin_inbox *b, struct kin_stream_ask *ask,
                          const struct kin_message *m, struct kin_str payload,
                          struct kin_err *err) KIN_MUST_CHECK;
void kin_inbox_close(struct kin_inbox *b);

/* ---- files (live_inbox_files.c); private ---- */

/* A path of the inbox: dir/folder/rel, with the suffix; hidden: its temporary name. Owned. NULL:
 * out of memory. */
char *inbox_path(const struct kin_inbox *b, const char *folder, const char *rel, const char *suffix,
                 bool hidden);
bool inbox_exists(const struct kin_inbox *b, const char *folder, const char *rel,
                  const char *suffix);
/* Renames, makes the directory of `to` first, and makes both directories durable. Frees both. */
kin_status inbox_move(char *from, char *to, struct kin_err *err);
kin_status inbox_create(struct kin_inbox *b, const char *suffix, FILE **out, struct kin_err *err);
/* Closes a file of inbox_create durably, and gives it its name. */
kin_status inbox_publish(struct kin_inbox *b, const char *suffix, FILE **file, struct kin_err *err);

/* The next file that is complete becomes b->item, without `before`. KIN_E_NOTFOUND: there is none;
 * *waiting: but there may be one soon. */
kin_status inbox_scan(struct kin_inbox *b, uint64_t now_ms, uint64_t wall_ms, bool *waiting,
                      struct kin_err *err);
void inbox_item_clear(struct kin_inbox_item *item);

kin_status inbox_journal_write(struct kin_inbox *b, struct kin_err *err);
/* KIN_E_NOTFOUND: there is none. */
kin_status inbox_journal_read(struct kin_inbox *b, struct kin_err *err);
kin_status inbox_journal_remove(struct kin_inbox *b, struct kin_err *err);

#endif
