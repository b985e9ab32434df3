/* A gateway in a page: looks up the records on stdin, JSON Lines by the names of the workflow's fields, and
 * prints one line of answer for each, in order, with up to WINDOW requests under way.
 *
 *   gateway URL [SECRET_FILE] < records.jsonl
 */
#define _POSIX_C_SOURCE 200809L
#include <kindred.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

enum { WINDOW = 256, CONNECT_MS = 10 * 1000 };

struct place { /* of one record, from its request until its answer was printed */
    struct window *window;
    int answered, failed;
    char *line; /* the answer */
};

struct window {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct place places[WINDOW];
    size_t next; /* to be printed */
    int failures;
};

/* By the library's thread: it must not block for long, so printing is left to main. */
static void on_answer(void *arg, const struct kindred_answer *a)
{
    struct place *p = arg;
    char *line = malloc(a->bytes + strlen(a->text) + 64);
    if (line && a->status == KINDRED_OK) {
        memcpy(line, a->data ? a->data : "", a->bytes);
        line[a->bytes] = '\0';
    } else if (line) {
        snprintf(line, strlen(a->text) + 64, "%s: %s\n", kindred_status_text(a->status), a->text);
    }
    pthread_mutex_lock(&p->window->lock);
    p->line = line;
    p->failed = a->status != KINDRED_OK || !line;
    p->answered = 1;
    pthread_cond_signal(&p->window->changed);
    pthread_mutex_unlock(&p->window->lock);
}

/* Prints answers, in order, until the place of `until` is free. With the lock. */
static void print_answers(struct window *w, size_t until)
{
    while (w->next < until) {
        struct place *p = &w->places[w->next % WINDOW];
        while (!p->answered)
            pthread_cond_wait(&w->changed, &w->lock);
        fputs(p->line ? p->line : "out of memory\n", p->failed ? stderr : stdout);
        w->failures += p->failed;
        free(p->line);
        *p = (struct place){.window = w};
        w->next++;
    }
}

static int ask(struct kindred *k, struct window *w, size_t number, const char *record, size_t bytes)
{
    struct kindred_lookup_request request = {.records = record, .bytes = bytes};
    pthread_mutex_lock(&w->lock);
    print_answers(w, number < WINDOW ? 0 : number - WINDOW + 1);
    pthread_mutex_unlock(&w->lock);
    return kindred_lookup(k, &request, on_answer, &w->places[number % WINDOW]) == KINDRED_OK;
}

int main(int argc, char **argv)
{
    struct kindred_options options = {.retry_busy = true};
    struct window w = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct kindred *k;
    char why[200], *record = NULL;
    size_t room = 0, count = 0;
    ssize_t bytes;
    if (argc < 2) {
        fprintf(stderr, "usage: %s URL [SECRET_FILE] < records.jsonl\n", argv[0]);
        return 2;
    }
    options.url = argv[1];
    options.secret_file = argc > 2 ? argv[2] : NULL;
    if (kindred_open(&options, &k, why, sizeof why) != KINDRED_OK ||
        kindred_wait(k, CONNECT_MS, why, sizeof why) != KINDRED_OK) {
        fprintf(stderr, "%s: %s\n", argv[0], why);
        return 1;
    }
    for (size_t i = 0; i < WINDOW; i++)
        w.places[i].window = &w;
    while ((bytes = getline(&record, &room, stdin)) > 0 && ask(k, &w, count, record, (size_t)bytes))
        count++;
    pthread_mutex_lock(&w.lock);
    print_answers(&w, count);
    pthread_mutex_unlock(&w.lock);
    free(record);
    kindred_close(k);
    return w.failures || !feof(stdin) ? 1 : 0;
}
