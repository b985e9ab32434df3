#ifndef KIN_TESTS_ENV_CONTRACT_DATA_H
#define KIN_TESTS_ENV_CONTRACT_DATA_H
/* The part of the contract suite about stores and files; included by env_contract.h. A play is a
 * list of acts: `begin` runs on the loop and may submit store ops; when all of them are done,
 * `check` runs as a task; then comes the next act. */

enum { PLAY_OPS = 64, PLAY_PUTS = 8 };

struct play;
struct act {
    void (*begin)(struct play *p);                      /* may be NULL */
    void (*check)(struct kin_env *env, struct play *p); /* may be NULL */
};

struct play_op {
    struct kin_store_op op;
    struct kin_store_put puts[PLAY_PUTS];
    struct play *play;
    size_t number;
};

struct play {
    struct scene scene;
    struct kin_env *env;
    const struct act *acts;
    size_t act_count, act;
    struct kin_work work;
    struct kin_timer turn;
    struct play_op ops[PLAY_OPS];
    kin_status results[PLAY_OPS];
    size_t submitted, finished;
    uint64_t stamps[2];
    struct kin_out *out;
    char *large;
};

static void play_begin(struct play *p);

static void play_work_run(struct kin_env *env, struct kin_work *w)
{
    struct play *p = (struct play *)(void *)((char *)w - offsetof(struct play, work));
    if (p->acts[p->act].check)
        p->acts[p->act].check(env, p);
}

static void play_work_done(struct kin_work *w)
{
    struct play *p = (struct play *)(void *)((char *)w - offsetof(struct play, work));
    scene_enter(&p->scene);
    p->act++;
    if (p->act < p->act_count)
        play_begin(p);
    else
        scene_stop(&p->scene);
    scene_leave(&p->scene);
}

static void play_check(struct play *p)
{
    p->work.run = play_work_run;
    p->work.done = play_work_done;
    p->env->ops->work(p->env, &p->work);
}

static void play_begin(struct play *p)
{
    p->submitted = 0;
    p->finished = 0;
    if (p->acts[p->act].begin)
        p->acts[p->act].begin(p);
    if (p->submitted == 0)
        play_check(p);
}

static void play_op_done(struct kin_store_op *op, kin_status status)
{
    struct play_op *o = (struct play_op *)(void *)op;
    struct play *p = o->play;
    scene_enter(&p->scene);
    CHECK(&p->scene, o->number == p->finished); /* in the order of submission */
    p->results[o->number] = status;
    if (++p->finished == p->submitted)
        play_check(p);
    scene_leave(&p->scene);
}

static void *play_boot(struct kin_env *env, void *args)
{
    struct play *p = args;
    p->scene.booted++;
    p->env = env;
    scene_enter(&p->scene);
    play_begin(p);
    scene_leave(&p->scene);
    return p;
}

static void play_run(void **state, const struct act *acts, size_t count,
                     void (*prepare)(struct play *p))
{
    static const struct kin_node_ops ops = {play_boot, no_frame, scene_stopped};
    struct play *p = kin_calloc(1, sizeof *p);
    p->acts = acts;
    p->act_count = count;
    scene_open(&p->scene, state);
    if (prepare)
        prepare(p);
    p->scene.world_ops->add(p->scene.world, 3, &ops, p);
    scene_play(&p->scene);
    assert_int_equal(p->act, count);
    scene_close(&p->scene);
    kin_free(p->large);
    kin_free(p);
}

/* ---- the store ---- */

static struct play_op *new_op(struct play *p)
{
    struct play_op *o = &p->ops[p->submitted];
    *o = (struct play_op){.play = p, .number = p->submitted++};
    o->op.puts = o->puts;
    o->op.done = play_op_done;
    return o;
}

static void op_put(struct play_op *o, uint8_t db, const char *key, const char *value)
{
    o->puts[o->op.count++] = (struct kin_store_put){
        .db = db,
        .key = kin_str_of(key),
        .value = value ? kin_str_of(value) : (struct kin_str){0},
    };
}

static void op_submit(struct play *p, struct play_op *o)
{
    p->env->ops->store(p->env, &o->op);
}

static bool got(struct kin_env *env, struct kin_snap *snap, unsigned db, const char *key,
                const char *value)
{
    struct kin_str found = {0};
    kin_status st = env->ops->snap_get(snap, db, kin_str_of(key), &found);
    if (!value)
        return st == KIN_E_NOTFOUND;
    return st == KIN_OK && kin_str_eq(found, kin_str_of(value));
}

static bool sought(struct kin_env *env, struct kin_snap *snap, unsigned db, const char *key,
                   const char *found_key, const char *value)
{
    struct kin_str k = {0};
    struct kin_str v = {0};
    kin_status st = env->ops->snap_seek(snap, db, kin_str_of(key), &k, &v);
    if (!found_key)
        return st == KIN_E_NOTFOUND;
    return st == KIN_OK && kin_str_eq(k, kin_str_of(found_key)) && kin_str_eq(v, kin_str_of(value));
}

static const char *numeral(size_t i) /* "00".."63", static */
{
    static const char digits[] = "00\0"
                                 "01\0"
                                 "02\0"
                                 "03\0"
                                 "04\0"
                                 "05\0"
                                 "06\0"
                                 "07\0"
                                 "08\0"
                                 "09\0"
                                 "10\0"
                                 "11\0"
                                 "12\0"
                                 "13\0"
                                 "14\0"
                                 "15\0"
                                 "16\0"
                                 "17\0"
                                 "18\0"
                                 "19\0"
                                 "20\0"
                                 "21\0"
                                 "22\0"
                                 "23\0"
                                 "24\0"
                                 "25\0"
                                 "26\0"
                                 "27\0"
                                 "28\0"
                                 "29\0"
                                 "30\0"
                                 "31";
    return digits + 3 * (i % 32);
}

static void order_begin(struct play *p)
{
    for (size_t i = 0; i < 32; i++) {
        struct play_op *o = new_op(p);
        op_put(o, 0, "last", numeral(i));
        op_put(o, 1, numeral(i), "here");
        if (i > 0)
            op_put(o, 1, numeral(i - 1), NULL);
        op_submit(p, o);
    }
}

static void order_check(struct kin_env *env, struct play *p)
{
    struct kin_snap *snap = NULL;
    CHECK(&p->scene, env->ops->snap_begin(env, &snap) == KIN_OK);
    for (size_t i = 0; i < 32; i++)
        CHECK(&p->scene, p->results[i] == KIN_OK);
    CHECK(&p->scene, got(env, snap, 0, "last", "31"));
    for (size_t i = 0; i < 31; i++)
        CHECK(&p->scene, got(env, snap, 1, numeral(i), NULL));
    CHECK(&p->scene, got(env, snap, 1, "31", "here"));
    CHECK(&p->scene, got(env, snap, 2, "last", NULL)); /* the dbs are apart */
    env->ops->snap_end(env, snap);
}

static void within_begin(struct play *p) /* the changes of one batch are applied in order, too */
{
    struct play_op *o = new_op(p);
    op_put(o, 0, "x", "1");
    op_put(o, 0, "x", NULL);
    op_put(o, 0, "x", "2");
    op_put(o, 0, "y", "1");
    op_put(o, 0, "y", NULL);
    op_put(o, 0, "missing", NULL);
    op_put(o, 0, "last", NULL);
    op_submit(p, o);
    op_submit(p, new_op(p)); /* an empty batch is fine */
}

static void within_check(struct kin_env *env, struct play *p)
{
    struct kin_snap *snap = NULL;
    CHECK(&p->scene, p->results[0] == KIN_OK && p->results[1] == KIN_OK);
    CHECK(&p->scene, env->ops->snap_begin(env, &snap) == KIN_OK);
    CHECK(&p->scene, got(env, snap, 0, "x", "2"));
    CHECK(&p->scene, got(env, snap, 0, "y", NULL));
    CHECK(&p->scene, got(env, snap, 0, "last", NULL));
    env->ops->snap_end(env, snap);
}

static void store_ops_apply_in_order(void **state)
{
    static const struct act acts[] = {{order_begin, order_check}, {within_begin, within_check}};
    play_run(state, acts, 2, NULL);
}

static const char long_key[] =
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abc"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abc"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abc"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abc"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abc"
    "0123456789abcdef0123456789abcdef0123456789abcd!?";
_Static_assert(sizeof long_key - 1 > KIN_STORE_KEY_MAX + 1, "one that is too long by two");

static void whole_begin(struct play *p)
{
    struct play_op *o = new_op(p); /* 0 */
    op_put(o, 0, "a", "before");
    op_put(o, 0, "d", "append me after");
    op_submit(p, o);
    o = new_op(p); /* 1: refused for its second change */
    op_put(o, 0, "a", "never");
    op_put(o, 0, long_key, "key too long");
    op_submit(p, o);
    o = new_op(p); /* 2: refused for its last */
    op_put(o, 0, "b", "never");
    op_put(o, 0, "", "empty key");
    op_submit(p, o);
    o = new_op(p); /* 3: a promise kept */
    op_put(o, 0, "e", "1");
    op_put(o, 0, "f", "2");
    o->puts[0].append = o->puts[1].append = true;
    op_submit(p, o);
    o = new_op(p); /* 4: the longest key there may be */
    op_put(o, 1, long_key, "longest");
    o->puts[0].key.n = KIN_STORE_KEY_MAX;
    op_put(o, 1, "empty", "");
    op_submit(p, o);
}

static void whole_check(struct kin_env *env, struct play *p)
{
    struct kin_snap *snap = NULL;
    CHECK(&p->scene, p->results[0] == KIN_OK && p->results[1] == KIN_E_INVAL);
    CHECK(&p->scene, p->results[2] == KIN_E_INVAL && p->results[3] == KIN_OK);
    CHECK(&p->scene, p->results[4] == KIN_OK);
    CHECK(&p->scene, env->ops->snap_begin(env, &snap) == KIN_OK);
    CHECK(&p->scene, got(env, snap, 0, "a", "before"));
    CHECK(&p->scene, got(env, snap, 0, "b", NULL));
    CHECK(&p->scene, got(env, snap, 0, "e", "1") && got(env, snap, 0, "f", "2"));
    CHECK(&p->scene, got(env, snap, 1, "empty", "")); /* empty is not missing */
    struct kin_str k = {0};
    struct kin_str v = {0};
    CHECK(&p->scene, env->ops->snap_seek(snap, 1, KIN_STR("0"), &k, &v) == KIN_OK);
    CHECK(&p->scene, k.n == KIN_STORE_KEY_MAX && kin_str_eq(v, KIN_STR("longest")));
    env->ops->snap_end(env, snap);
}

static void store_batches_are_whole(void **state)
{
    static const struct act acts[] = {{whole_begin, whole_check}};
    play_run(state, acts, 1, NULL);
}

enum { LARGE_BYTES = 3 << 20 };

static void reads_begin(struct play *p)
{
    struct play_op *o = new_op(p);
    op_put(o, 0, "b", "bee");
    op_put(o, 0, "d", "dee");
    op_put(o, 0, "d\xff", "dee-ff"); /* bytes are not signed */
    op_put(o, 0, "da", "dee-ay");
    op_put(o, 2, "a", "other");
    p->large = kin_alloc(LARGE_BYTES);
    for (size_t i = 0; i < LARGE_BYTES; i++)
        p->large[i] = (char)(i * 31 >> 3);
    o->puts[o->op.count++] =
        (struct kin_store_put){.db = 1, .key = KIN_STR("large"), .value = {p->large, LARGE_BYTES}};
    op_submit(p, o);
}

static void reads_check(struct kin_env *env, struct play *p)
{
    struct scene *s = &p->scene;
    struct kin_snap *snap = NULL;
    CHECK(s, p->results[0] == KIN_OK);
    for (int round = 0; round < 2; round++) { /* snapshots may be used again */
        CHECK(s, env->ops->snap_begin(env, &snap) == KIN_OK);
        struct kin_str bee = {0};
        CHECK(s, env->ops->snap_get(snap, 0, KIN_STR("b"), &bee) == KIN_OK);
        CHECK(s, got(env, snap, 0, "c", NULL) && got(env, snap, 2, "b", NULL));
        CHECK(s, sought(env, snap, 0, "", "b", "bee")); /* the first of all */
        CHECK(s, sought(env, snap, 0, "b", "b", "bee"));
        CHECK(s, sought(env, snap, 0, "c", "d", "dee"));
        CHECK(s, sought(env, snap, 0, "da", "da", "dee-ay"));
        CHECK(s, sought(env, snap, 0, "db", "d\xff", "dee-ff"));
        CHECK(s, sought(env, snap, 0, "a", "b", "bee")); /* and back again */
        CHECK(s, sought(env, snap, 0, "e", NULL, NULL));
        CHECK(s, sought(env, snap, 2, "b", NULL, NULL));
        CHECK(s, sought(env, snap, 2, "", "a", "other"));
        struct kin_str large = {0};
        CHECK(s, env->ops->snap_get(snap, 1, KIN_STR("large"), &large) == KIN_OK);
        CHECK(s, large.n == LARGE_BYTES && memcmp(large.p, p->large, LARGE_BYTES) == 0);
        CHECK(s, kin_str_eq(bee, KIN_STR("bee"))); /* borrowed until snap_end */
        env->ops->snap_end(env, snap);
    }
}

static void emptied_begin(struct play *p)
{
    struct play_op *o = new_op(p);
    op_put(o, 2, "a", NULL);
    op_put(o, 1, "large", NULL);
    op_submit(p, o);
}

static void emptied_check(struct kin_env *env, struct play *p)
{
    struct kin_snap *snap = NULL;
    CHECK(&p->scene, env->ops->snap_begin(env, &snap) == KIN_OK);
    CHECK(&p->scene, sought(env, snap, 2, "", NULL, NULL));
    CHECK(&p->scene, got(env, snap, 1, "large", NULL));
    CHECK(&p->scene, sought(env, snap, 0, "", "b", "bee"));
    env->ops->snap_end(env, snap);
}

static void store_reads_get_and_seek(void **state)
{
    static const struct act acts[] = {{reads_begin, reads_check}, {emptied_begin, emptied_check}};
    play_run(state, acts, 2, NULL);
}

/* ---- sources ---- */

static const char *in_root(struct play *p, const char *name, char to[512])
{
    snprintf(to, 512, "%s/%s", p->scene.world_ops->root(p->scene.world), name);
    return to;
}

static void put_file(struct play *p, const char *name, const char *text)
{
    char path[512];
    CHECK(&p->scene,
          p->scene.world_ops->put_file(p->scene.world, in_root(p, name, path), text, strlen(text)));
}

static void sources_prepare(struct play *p)
{
    put_file(p, "in/b.csv", "id,b\n1,x\n");
    put_file(p, "in/a.csv", "id,a\n");
    put_file(p, "in/B.csv", "");
    put_file(p, "in/a1.csv", "one");
    put_file(p, "in/c.jsonl", "{}\n");
    put_file(p, "in/d.csv/inner", "in a directory that looks like a file");
    put_file(p, "in2/a.csv", "elsewhere");
}

static bool listed(struct kin_env *env, struct play *p, const char *pattern, const char *names)
{
    char path[512];
    struct kin_source_list list = {0};
    struct kin_err err = {0};
    if (env->ops->source_list(env, in_root(p, pattern, path), &list, &err))
        return false;
    char all[4096] = "";
    size_t n = 0;
    size_t skip = strlen(p->scene.world_ops->root(p->scene.world)) + 1;
    for (size_t i = 0; i < list.count && n < sizeof all; i++)
        n += (size_t)snprintf(all + n, sizeof all - n, "%s:%" PRIu64 " ", list.files[i].path + skip,
                              list.files[i].bytes);
    kin_source_list_deinit(&list);
    return strcmp(all, names) == 0;
}

static kin_status list_status(struct kin_env *env, struct play *p, const char *pattern)
{
    char path[512];
    struct kin_source_list list = {0};
    struct kin_err err = {0};
    kin_status st = env->ops->source_list(env, in_root(p, pattern, path), &list, &err);
    CHECK(&p->scene, st == KIN_OK || (err.status == st && err.msg[0]));
    CHECK(&p->scene, st == KIN_OK || (list.files == NULL && list.count == 0));
    kin_source_list_deinit(&list);
    return st;
}

static uint64_t stamp(struct kin_env *env, struct play *p, const char *name)
{
    char path[512];
    struct kin_source_list list = {0};
    if (env->ops->source_list(env, in_root(p, name, path), &list, NULL) || list.count != 1)
        return 0;
    uint64_t changed = list.files[0].changed;
    kin_source_list_deinit(&list);
    return changed;
}

static void read_check(struct kin_env *env, struct play *p, const char *name, const char *text)
{
    char path[512];
    char all[64];
    size_t n = 0;
    size_t count = 1;
    struct kin_err err = {0};
    struct kin_source_handle *h = NULL;
    CHECK(&p->scene, env->ops->source_open(env, in_root(p, name, path), &h, &err) == KIN_OK);
    while (h && count > 0 && n + 4 <= sizeof all) {
        count = 99;
        CHECK(&p->scene, env->ops->source_read(h, (uint8_t *)all + n, 4, &count, &err) == KIN_OK);
        CHECK(&p->scene, count <= 4);
        n += count;
    }
    if (h)
        env->ops->source_close(h);
    CHECK(&p->scene, n == strlen(text) && memcmp(all, text, n) == 0);
}

static void sources_check(struct kin_env *env, struct play *p)
{
    struct scene *s = &p->scene;
    CHECK(s, listed(env, p, "in/*.csv", "in/B.csv:0 in/a.csv:5 in/a1.csv:3 in/b.csv:9 "));
    CHECK(s, listed(env, p, "in/[ab].csv", "in/a.csv:5 in/b.csv:9 "));
    CHECK(s, listed(env, p, "in/?.jsonl", "in/c.jsonl:3 "));
    CHECK(s, listed(env, p, "in*/a.csv", "in/a.csv:5 in2/a.csv:9 "));
    CHECK(s, listed(env, p, "in/a.csv", "in/a.csv:5 "));
    CHECK(s, list_status(env, p, "in/*.xml") == KIN_E_NOTFOUND);
    CHECK(s, list_status(env, p, "in/none.csv") == KIN_E_NOTFOUND);
    CHECK(s, list_status(env, p, "none/*.csv") == KIN_E_NOTFOUND);
    struct kin_err err = {0};
    struct kin_source_handle *h = NULL;
    char path[512];
    CHECK(s,
          env->ops->source_open(env, in_root(p, "in/none.csv", path), &h, &err) == KIN_E_NOTFOUND);
    CHECK(s, err.status == KIN_E_NOTFOUND && h == NULL);
    read_check(env, p, "in/b.csv", "id,b\n1,x\n");
    read_check(env, p, "in/B.csv", "");
    p->stamps[0] = stamp(env, p, "in/a.csv");
    CHECK(s, p->stamps[0] == stamp(env, p, "in/a.csv"));
}

static void changed_begin(struct play *p)
{
    put_file(p, "in/a.csv", "id,a\nlonger now");
}

static void changed_check(struct kin_env *env, struct play *p)
{
    CHECK(&p->scene, stamp(env, p, "in/a.csv") != p->stamps[0]);
    read_check(env, p, "in/a.csv", "id,a\nlonger now");
}

static void sources_list_open_and_read(void **state)
{
    static const struct act acts[] = {{NULL, sources_check}, {changed_begin, changed_check}};
    play_run(state, acts, 2, sources_prepare);
}

/* ---- outputs ---- */

static bool file_is(struct play *p, const char *name, const char *text)
{
    char path[512];
    struct kin_buf b = {0};
    bool there = p->scene.world_ops->get_file(p->scene.world, in_root(p, name, path), &b);
    bool same =
        text ? there && b.n == strlen(text) && (b.n == 0 || memcmp(b.p, text, b.n) == 0) : !there;
    kin_buf_deinit(&b);
    return same;
}

static void out_prepare(struct play *p)
{
    put_file(p, "marker", "so that the root is there");
}

static void out_write_check(struct kin_env *env, struct play *p)
{
    struct scene *s = &p->scene;
    char path[512];
    struct kin_err err = {0};
    CHECK(s, env->ops->out_begin(env, in_root(p, "result", path), &p->out, &err) == KIN_OK);
    CHECK(s, env->ops->out_write(p->out, "m.csv", "a,b\n", 4, &err) == KIN_OK);
    CHECK(s, env->ops->out_write(p->out, "empty", "", 0, &err) == KIN_OK);
    CHECK(s, env->ops->out_write(p->out, "g.csv", "g\n", 2, &err) == KIN_OK);
    CHECK(s, env->ops->out_write(p->out, "m.csv", "1,2\n", 4, &err) == KIN_OK);
    CHECK(s, env->ops->out_write(p->out, "sub/m.csv", "x", 1, &err) == KIN_E_INVAL);
    CHECK(s, env->ops->out_write(p->out, "..", "x", 1, &err) == KIN_E_INVAL);
    CHECK(s, env->ops->out_write(p->out, "", "x", 1, &err) == KIN_E_INVAL);
}

static void not_yet(struct play *p)
{
    CHECK(&p->scene, file_is(p, "result/m.csv", NULL));
}

static void publish_check(struct kin_env *env, struct play *p)
{
    struct kin_err err = {0};
    CHECK(&p->scene, env->ops->out_publish(p->out, &err) == KIN_OK);
    p->out = NULL;
}

static void now_there(struct play *p)
{
    CHECK(&p->scene, file_is(p, "result/m.csv", "a,b\n1,2\n"));
    CHECK(&p->scene, file_is(p, "result/g.csv", "g\n"));
    CHECK(&p->scene, file_is(p, "result/empty", ""));
}

static void abort_check(struct kin_env *env, struct play *p)
{
    char path[512];
    struct kin_err err = {0};
    CHECK(&p->scene, env->ops->out_begin(env, in_root(p, "result", path), &p->out, &err) == KIN_OK);
    CHECK(&p->scene, env->ops->out_write(p->out, "m.csv", "new\n", 4, &err) == KIN_OK);
    env->ops->out_abort(p->out);
    CHECK(&p->scene, env->ops->out_begin(env, in_root(p, "other", path), &p->out, &err) == KIN_OK);
    CHECK(&p->scene, env->ops->out_write(p->out, "m.csv", "new\n", 4, &err) == KIN_OK);
    env->ops->out_abort(p->out);
    p->out = NULL;
}

static void still_old(struct play *p)
{
    now_there(p);
    CHECK(&p->scene, file_is(p, "other/m.csv", NULL));
}

static void replace_check(struct kin_env *env, struct play *p)
{
    char path[512];
    struct kin_err err = {0};
    CHECK(&p->scene, env->ops->out_begin(env, in_root(p, "result", path), &p->out, &err) == KIN_OK);
    CHECK(&p->scene, env->ops->out_write(p->out, "m.csv", "newer\n", 6, &err) == KIN_OK);
    CHECK(&p->scene, env->ops->out_publish(p->out, &err) == KIN_OK);
    p->out = NULL;
}

static void replaced(struct play *p) /* as a whole: no file of the old one stays */
{
    CHECK(&p->scene, file_is(p, "result/m.csv", "newer\n"));
    CHECK(&p->scene, file_is(p, "result/g.csv", NULL));
}

static void remove_check(struct kin_env *env, struct play *p)
{
    char path[512];
    struct kin_err err = {0};
    CHECK(&p->scene, env->ops->out_remove(env, in_root(p, "result", path), &err) == KIN_OK);
    CHECK(&p->scene, env->ops->out_remove(env, in_root(p, "result", path), &err) == KIN_OK);
    CHECK(&p->scene, env->ops->out_remove(env, in_root(p, "never", path), &err) == KIN_OK);
}

static void removed_check(struct play *p)
{
    CHECK(&p->scene, file_is(p, "result/m.csv", NULL));
}

static void refused_check(struct kin_env *env, struct play *p)
{
    char path[512];
    struct kin_err err = {0};
    struct kin_out *out = NULL;
    CHECK(&p->scene,
          env->ops->out_begin(env, in_root(p, "marker", path), &out, &err) == KIN_E_EXISTS);
    CHECK(&p->scene, out == NULL && err.status == KIN_E_EXISTS);
}

static void outputs_appear_whole_or_not_at_all(void **state)
{
    static const struct act acts[] = {
        {NULL, out_write_check},    {not_yet, publish_check}, {now_there, abort_check},
        {still_old, replace_check}, {replaced, remove_check}, {removed_check, refused_check},
    };
    play_run(state, acts, 6, out_prepare);
}

#endif
