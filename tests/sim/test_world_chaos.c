/* A small cluster under chaos: the deterministic world must be hard enough to find the classic bugs
 * of a distributed protocol, and fair enough that a right one always comes to its end.
 *
 * Node 0 has ITEMS orders, each for one worker. A worker counts an order in its store, exactly once
 * whatever happens, and confirms it when that is durable; node 0 stores the confirmations, repeats
 * what is not confirmed, and publishes a report when nothing is left. The bugs can be switched on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/world.h"

enum { ITEMS = 60, WORKERS = 3, RESEND_US = 20 * 1000, ORDER = 1, CONFIRM = 2 };
#define SECOND UINT64_C(1000000) /* in us */

enum bug {
    NO_BUG,
    CONFIRMS_TOO_EARLY, /* before the count is durable */
    COUNTS_REPEATS,     /* no memory of what was counted */
    FORGETS_ON_RESTART, /* that memory is not read back */
    NEVER_REPEATS,
    PUBLISHES_TOO_EARLY, /* when confirmed, but before that is durable, and so not yet for ever */
};

/* ---- a node: the same core for both roles ---- */

struct node;

struct entry { /* one change of the store: item -> number */
    struct kin_store_op op;
    struct kin_store_put put;
    char key[4];
    char value[4];
    struct node *node;
    uint32_t item;
    struct entry *next;
};

struct node {
    struct kin_env *env;
    struct cluster *cluster;
    bool ready;
    uint32_t numbers[ITEMS]; /* durable: times counted, or whether confirmed */
    uint32_t loaded[ITEMS];  /* of the task */
    bool storing[ITEMS];
    struct kin_timer timer;
    struct kin_work load;
    struct kin_work report;
    bool reporting;
    struct entry *entries;
};

struct cluster {
    struct kin_sim *sim;
    enum bug bug;
    bool broken; /* a promise, at any moment */
    bool published;
};

#define OUTER(type, member, pointer) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

static void tell(struct node *n, kin_node_id to, uint32_t type, uint32_t item)
{
    struct kin_frame *f = kin_frame_new(type);
    if (!f)
        return;
    kin_buf_u32(&f->body, item);
    if (f->body.failed)
        kin_frame_unref(f);
    else
        n->env->ops->send(n->env, to, f);
}

static kin_node_id worker_of(uint32_t item)
{
    return 1 + item % WORKERS;
}

static bool is_coordinator(const struct node *n)
{
    return n->env->self == KIN_COORDINATOR;
}

static bool all_confirmed(const struct node *n)
{
    for (uint32_t i = 0; i < ITEMS; i++)
        if (!n->numbers[i])
            return false;
    return true;
}

static void report_run(struct kin_env *env, struct kin_work *w)
{
    struct kin_out *out;
    (void)w;
    if (env->ops->out_begin(env, "report", &out, NULL))
        return;
    if (env->ops->out_write(out, "done", "all\n", 4, NULL))
        env->ops->out_abort(out);
    else if (env->ops->out_publish(out, NULL))
        return;
}

static void report_done(struct kin_work *w)
{
    struct node *n = OUTER(struct node, report, w);
    n->reporting = false; /* a failed one is tried again by the timer */
    if (kin_sim_out_files(n->cluster->sim, "report") == 1)
        n->cluster->published = true;
}

static void report_if_complete(struct node *n)
{
    if (!is_coordinator(n) || n->reporting || n->cluster->published || !all_confirmed(n))
        return;
    n->reporting = true;
    n->report.run = report_run;
    n->report.done = report_done;
    n->env->ops->work(n->env, &n->report);
}

static void repeat(struct kin_timer *t)
{
    struct node *n = OUTER(struct node, timer, t);
    for (uint32_t i = 0; i < ITEMS; i++)
        if (!n->numbers[i])
            tell(n, worker_of(i), ORDER, i);
    report_if_complete(n);
    if (n->cluster->bug != NEVER_REPEATS)
        n->env->ops->timer_arm(n->env, &n->timer, RESEND_US);
}

static void entry_drop(struct entry *e)
{
    struct entry **at = &e->node->entries;
    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    kin_free(e);
}

static void entry_done(struct kin_store_op *op, kin_status status)
{
    struct entry *e = OUTER(struct entry, op, op);
    struct node *n = e->node;
    n->storing[e->item] = false;
    if (!status) {
        n->numbers[e->item] = kin_le32(e->value);
        if (!is_coordinator(n) && n->cluster->bug != CONFIRMS_TOO_EARLY)
            tell(n, KIN_COORDINATOR, CONFIRM, e->item);
    }
    entry_drop(e);
    report_if_complete(n);
}

static void store_number(struct node *n, uint32_t item, uint32_t number)
{
    struct entry *e = kin_calloc(1, sizeof *e);
    if (!e)
        return;
    kin_put_le32(e->key, item);
    kin_put_le32(e->value, number);
    e->put = (struct kin_store_put){.key = {e->key, 4}, .value = {e->value, 4}};
    e->op = (struct kin_store_op){.puts = &e->put, .count = 1, .done = entry_done};
    e->node = n;
    e->item = item;
    e->next = n->entries;
    n->entries = e;
    n->storing[item] = true;
    n->env->ops->store(n->env, &e->op);
}

static void load_run(struct kin_env *env, struct kin_work *w)
{
    struct node *n = OUTER(struct node, load, w);
    struct kin_snap *snap;
    if (env->ops->snap_begin(env, &snap))
        return;
    for (uint32_t i = 0; i < ITEMS; i++) {
        char key[4];
        struct kin_str value;
        kin_put_le32(key, i);
        if (!env->ops->snap_get(snap, 0, (struct kin_str){key, 4}, &value))
            n->loaded[i] = kin_le32(value.p);
    }
    env->ops->snap_end(env, snap);
}

static void load_done(struct kin_work *w)
{
    struct node *n = OUTER(struct node, load, w);
    if (is_coordinator(n) || n->cluster->bug != FORGETS_ON_RESTART)
        memcpy(n->numbers, n->loaded, sizeof n->numbers);
    n->ready = true;
    if (is_coordinator(n))
        repeat(&n->timer);
}

static void *node_boot(struct kin_env *env, void *args)
{
    struct node *n = kin_calloc(1, sizeof *n);
    if (!n)
        return NULL;
    n->env = env;
    n->cluster = args;
    n->timer.fire = repeat;
    n->load.run = load_run;
    n->load.done = load_done;
    env->ops->work(env, &n->load);
    return n;
}

static void worker_frame(struct node *n, uint32_t item)
{
    enum bug bug = n->cluster->bug;
    if (bug == CONFIRMS_TOO_EARLY)
        tell(n, KIN_COORDINATOR, CONFIRM, item);
    if (n->storing[item])
        return;
    if (n->numbers[item] && bug != COUNTS_REPEATS)
        tell(n, KIN_COORDINATOR, CONFIRM, item);
    else if (bug == FORGETS_ON_RESTART)
        store_number(n, item, n->loaded[item] + 1);
    else
        store_number(n, item, n->numbers[item] + 1);
}

static void node_frame(void *node, kin_node_id from, struct kin_frame *frame)
{
    struct node *n = node;
    uint32_t item = kin_le32(frame->body.p);
    if (!n->ready)
        return;
    if (frame->type == ORDER && !is_coordinator(n) && from == KIN_COORDINATOR)
        worker_frame(n, item);
    if (frame->type == CONFIRM && is_coordinator(n) && !n->numbers[item] && !n->storing[item]) {
        store_number(n, item, 1);
        if (n->cluster->bug == PUBLISHES_TOO_EARLY)
            n->numbers[item] = 1;
        report_if_complete(n);
    }
}

static void node_stop(void *node)
{
    struct node *n = node;
    n->env->ops->timer_cancel(n->env, &n->timer);
    while (n->entries)
        entry_drop(n->entries);
    kin_free(n);
}

static const struct kin_node_ops node_ops = {node_boot, node_frame, node_stop};

/* ---- promises ---- */

static uint32_t stored(struct cluster *c, kin_node_id id, uint32_t item)
{
    char key[4];
    struct kin_str value;
    kin_put_le32(key, item);
    if (!kin_sim_store_get(c->sim, id, 0, (struct kin_str){key, 4}, &value))
        return 0;
    return kin_le32(value.p);
}

/* After every event: what is confirmed is counted, and a report tells of confirmed things only. */
static bool is_over(void *arg)
{
    struct cluster *c = arg;
    bool reported = kin_sim_out_files(c->sim, "report") == 1;
    for (uint32_t i = 0; i < ITEMS; i++) {
        uint32_t confirmed = stored(c, KIN_COORDINATOR, i);
        if ((confirmed && !stored(c, worker_of(i), i)) || (reported && !confirmed))
            c->broken = true;
    }
    return c->broken || c->published;
}

static bool counted_once(struct cluster *c)
{
    for (uint32_t i = 0; i < ITEMS; i++)
        if (stored(c, worker_of(i), i) != 1)
            return false;
    return true;
}

struct trial {
    enum bug bug;
    unsigned intensity;
    unsigned full, allocation;
    struct kin_sim_stats sum;
    uint64_t hash;
};

static bool trial_run(uint64_t seed, struct trial *t)
{
    struct kin_sim_options o = {.full = t->full, .out_fail = t->full, .allocation = t->allocation};
    struct cluster c = {.sim = kin_sim_new(seed, &o), .bug = t->bug};
    for (kin_node_id i = 0; i <= WORKERS; i++)
        kin_sim_add(c.sim, i, &node_ops, &c);
    if (t->intensity)
        kin_sim_chaos(c.sim, t->intensity);
    bool over = kin_sim_run_until(c.sim, is_over, &c, 3 * SECOND);
    if (!over) {
        kin_sim_heal(c.sim);
        over = kin_sim_run_until(c.sim, is_over, &c, 2 * SECOND);
    }
    struct kin_sim_stats s = kin_sim_stats(c.sim);
    t->sum.crashes += s.crashes;
    t->sum.lost += s.lost;
    t->sum.duplicated += s.duplicated;
    t->sum.overtaken += s.overtaken;
    t->sum.half_done += s.half_done;
    t->sum.pauses += s.pauses;
    t->sum.cuts += s.cuts;
    t->sum.full += s.full;
    t->hash = kin_sim_hash(c.sim);
    bool good = over && !c.broken && counted_once(&c);
    kin_sim_free(c.sim);
    return good;
}

static unsigned failures(enum bug bug, unsigned intensity, uint64_t seeds)
{
    unsigned n = 0;
    for (uint64_t seed = 0; seed < seeds; seed++) {
        struct trial t = {.bug = bug, .intensity = intensity};
        n += !trial_run(seed, &t);
    }
    return n;
}

/* ---- tests ---- */

static bool holds_twice_alike(uint64_t seed, void *arg)
{
    struct trial first = *(struct trial *)arg;
    struct trial second = first;
    return trial_run(seed, &first) && trial_run(seed, &second) && first.hash == second.hash;
}

static void a_right_protocol_holds_under_any_chaos(void **state)
{
    (void)state;
    struct trial calm = {.bug = NO_BUG};
    assert_true(kin_sim_sweep("calm", 0, 10, holds_twice_alike, &calm));
    struct trial rough = {.bug = NO_BUG, .intensity = 3};
    assert_true(kin_sim_sweep("rough", 0, 60, holds_twice_alike, &rough));
    struct trial wild = {.bug = NO_BUG, .intensity = 10};
    assert_true(kin_sim_sweep("wild", 0, 60, holds_twice_alike, &wild));
    struct trial poor = {.bug = NO_BUG, .intensity = 5, .full = 100000, .allocation = 20000};
    assert_true(kin_sim_sweep("poor", 0, 60, holds_twice_alike, &poor));
}

static void chaos_makes_every_fault(void **state)
{
    (void)state;
    struct trial t = {.bug = NO_BUG, .intensity = 10, .full = 50000};
    for (uint64_t seed = 0; seed < 30; seed++)
        assert_true(trial_run(seed, &t));
    assert_true(t.sum.crashes > 10);
    assert_true(t.sum.lost > 10);
    assert_true(t.sum.duplicated > 10);
    assert_true(t.sum.overtaken > 10);
    assert_true(t.sum.half_done > 3);
    assert_true(t.sum.pauses > 3);
    assert_true(t.sum.cuts > 3);
    assert_true(t.sum.full > 10);
}

static void chaos_finds_the_classic_bugs(void **state)
{
    (void)state;
    assert_int_equal(failures(NO_BUG, 5, 30), 0);
    assert_true(failures(CONFIRMS_TOO_EARLY, 5, 30) > 10);
    assert_true(failures(COUNTS_REPEATS, 5, 30) > 10);
    assert_true(failures(NEVER_REPEATS, 5, 30) > 10);
    assert_true(failures(FORGETS_ON_RESTART, 10, 30) > 3);
    assert_true(failures(PUBLISHES_TOO_EARLY, 5, 30) > 10);
}

static void without_faults_a_bug_of_restarts_stays_hidden(void **state)
{
    (void)state;
    assert_int_equal(failures(NO_BUG, 0, 10), 0);
    assert_int_equal(failures(FORGETS_ON_RESTART, 0, 10), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_right_protocol_holds_under_any_chaos),
        cmocka_unit_test(chaos_makes_every_fault),
        cmocka_unit_test(chaos_finds_the_classic_bugs),
        cmocka_unit_test(without_faults_a_bug_of_restarts_stays_hidden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
