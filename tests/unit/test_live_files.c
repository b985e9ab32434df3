/* Sources and outputs of the live world: what only a real file system has. The rest is in the
 * contract suite. */
#include "tests/unit/live_kit.h"

struct filing {
    struct kin_work work; /* first */
    struct kin_env *env;
    struct world *world;
    void (*body)(struct kin_env *env, const char *root);
};

static void filing_run(struct kin_env *env, struct kin_work *w)
{
    struct filing *f = (struct filing *)(void *)w;
    f->body(env, f->world->root);
}

static void filing_done(struct kin_work *w)
{
    kin_live_stop(((struct filing *)(void *)w)->world->live);
}

static void *filing_boot(struct kin_env *env, void *args)
{
    struct filing *f = args;
    f->work = (struct kin_work){.run = filing_run, .done = filing_done};
    env->ops->work(env, &f->work);
    return f;
}

static void no_frame(void *node, kin_node_id from, struct kin_frame *frame)
{
    (void)node;
    (void)from;
    (void)frame;
}

static void no_stop(void *node)
{
    (void)node;
}

/* A check in a task: cmocka must not be used on its thread, so a failure ends the process. */
#define MUST(condition) KIN_ASSERT(condition)

/* Runs body as a task of a node, then `after` when all is stopped. */
static void file_test(void (*body)(struct kin_env *env, const char *root),
                      void (*after)(const char *root))
{
    static const struct kin_node_ops ops = {filing_boot, no_frame, no_stop};
    struct world *w = world_open(1);
    struct filing f = {.world = w, .body = body};
    assert_int_equal(kin_live_add(w->live, 0, NULL, &ops, &f, NULL), KIN_OK);
    kin_live_run(w->live);
    if (after)
        after(w->root);
    world_close(w);
}

static const char *at(const char *root, const char *name, char to[SCRATCH_PATH])
{
    snprintf(to, SCRATCH_PATH, "%s/%s", root, name);
    return to;
}

static void odd_sources(struct kin_env *env, const char *root)
{
    char path[SCRATCH_PATH];
    struct kin_err err = {0};
    struct kin_source_handle *h = NULL;
    struct kin_source_list list = {0};
    MUST(mkfifo(at(root, "pipe", path), 0600) == 0);
    MUST(env->ops->source_open(env, path, &h, &err) == KIN_E_INVAL && !h);
    MUST(strstr(err.msg, "regular"));
    MUST(mkdir(at(root, "dir", path), 0700) == 0);
    MUST(env->ops->source_open(env, path, &h, &err) == KIN_E_INVAL && !h);
    MUST(env->ops->source_list(env, path, &list, &err) == KIN_E_NOTFOUND);
    MUST(strstr(err.msg, "is a directory"));
    MUST(symlink("nowhere", at(root, "dangling.csv", path)) == 0);
    MUST(env->ops->source_list(env, at(root, "dang*", path), &list, &err) == KIN_E_NOTFOUND);
    MUST(err.sys == ENOENT && strstr(err.msg, "dangling.csv") && strstr(err.msg, "No such file"));
    /* braces are no glob characters here; a backslash takes the meaning from one */
    MUST(scratch_put(at(root, "{a,b}.csv", path), "x", 1));
    MUST(env->ops->source_list(env, path, &list, &err) == KIN_OK && list.count == 1);
    kin_source_list_deinit(&list);
    MUST(scratch_put(at(root, "q[1].csv", path), "x", 1));
    MUST(env->ops->source_list(env, at(root, "q\\[1\\].csv", path), &list, &err) == KIN_OK);
    MUST(list.count == 1 && strstr(list.files[0].path, "q[1].csv"));
    kin_source_list_deinit(&list);
    if (geteuid() != 0) {
        MUST(chmod(at(root, "dir", path), 0) == 0);
        MUST(env->ops->source_list(env, at(root, "dir/*.csv", path), &list, &err) == KIN_E_IO);
        MUST(chmod(at(root, "dir", path), 0700) == 0);
    }
    for (size_t n = 0; n < 2; n++) {
        kin_alloc_fail_after(n);
        kin_status st = env->ops->source_list(env, at(root, "q*", path), &list, &err);
        kin_alloc_fail_after(SIZE_MAX);
        MUST(st == KIN_E_NOMEM);
    }
    MUST(env->ops->source_open(env, at(root, "{a,b}.csv", path), &h, &err) == KIN_OK);
    /* left open on purpose: released after the core's stop */
}

static void sources_of_odd_kinds_are_refused(void **state)
{
    (void)state;
    file_test(odd_sources, NULL);
}

static bool there(const char *root, const char *name)
{
    char path[SCRATCH_PATH];
    struct stat s;
    return lstat(at(root, name, path), &s) == 0;
}

static void odd_outputs(struct kin_env *env, const char *root)
{
    char path[SCRATCH_PATH];
    char other[SCRATCH_PATH];
    struct kin_err err = {0};
    struct kin_out *out = NULL;
    /* a left-over of an earlier life, with a link in it that leads out of it */
    MUST(scratch_put(at(root, ".r.partial/sub/deep/file", path), "old", 3));
    MUST(scratch_put(at(root, "precious/file", path), "keep", 4));
    MUST(symlink(at(root, "precious", other), at(root, ".r.partial/sub/link", path)) == 0);
    MUST(env->ops->out_begin(env, at(root, "r//", path), &out, &err) == KIN_OK);
    MUST(!there(root, ".r.partial/sub") && there(root, ".r.partial"));
    MUST(there(root, "precious/file"));
    char name[16];
    for (int i = 0; i < 64; i++) {
        snprintf(name, sizeof name, "f%d", i);
        MUST(env->ops->out_write(out, name, "x", 1, &err) == KIN_OK);
    }
    MUST(env->ops->out_write(out, "f64", "x", 1, &err) == KIN_E_LIMIT);
    MUST(env->ops->out_publish(out, &err) == KIN_OK);
    MUST(there(root, "r/f63") && !there(root, ".r.partial"));
    /* the tree that is replaced may be any; links in it are removed, not followed */
    MUST(scratch_put(at(root, "r/more/file", path), "x", 1));
    MUST(symlink(at(root, "precious", other), at(root, "r/more/link", path)) == 0);
    MUST(env->ops->out_begin(env, at(root, "r", path), &out, &err) == KIN_OK);
    struct kin_out *second; /* as another process would: it must not touch the first one's files */
    MUST(env->ops->out_begin(env, at(root, "r", path), &second, &err) == KIN_E_BUSY);
    MUST(there(root, ".r.partial"));
    MUST(env->ops->out_publish(out, &err) == KIN_OK);
    MUST(!there(root, "r/more") && !there(root, ".r.partial") && there(root, "precious/file"));
    /* a link to a directory is not a directory */
    MUST(symlink("precious", at(root, "linked", path)) == 0);
    MUST(env->ops->out_begin(env, path, &out, &err) == KIN_E_EXISTS);
    /* the target became a file while the output was being made */
    MUST(env->ops->out_begin(env, at(root, "late", path), &out, &err) == KIN_OK);
    MUST(scratch_put(path, "in the way", 10));
    MUST(env->ops->out_publish(out, &err) == KIN_E_EXISTS);
    MUST(!there(root, ".late.partial") && there(root, "late"));
    MUST(env->ops->out_begin(env, at(root, ".", path), &out, &err) == KIN_E_INVAL);
    MUST(env->ops->out_begin(env, "/", &out, &err) == KIN_E_INVAL);
    MUST(env->ops->out_begin(env, "", &out, &err) == KIN_E_INVAL);
    MUST(env->ops->out_begin(env, at(root, "no/such/parent", path), &out, &err) == KIN_E_NOTFOUND);
    MUST(err.sys == ENOENT);
    for (size_t n = 0; n < 4; n++) {
        kin_alloc_fail_after(n);
        kin_status st = env->ops->out_begin(env, at(root, "nomem", path), &out, &err);
        kin_alloc_fail_after(SIZE_MAX);
        MUST(st == KIN_E_NOMEM && !there(root, ".nomem.partial"));
    }
    MUST(env->ops->out_begin(env, at(root, "orphan", path), &out, &err) == KIN_OK);
    MUST(env->ops->out_write(out, "f", "x", 1, &err) == KIN_OK);
    /* left in the making on purpose: removed after the core's stop */
}

static void no_orphan(const char *root)
{
    assert_false(there(root, "orphan"));
    assert_false(there(root, ".orphan.partial"));
    assert_true(there(root, "precious/file"));
}

static void outputs_leave_nothing_behind_and_follow_no_links(void **state)
{
    (void)state;
    file_test(odd_outputs, no_orphan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sources_of_odd_kinds_are_refused),
        cmocka_unit_test(outputs_leave_nothing_behind_and_follow_no_links),
    };
    return cmocka_run_group_tests_name("live files", tests, NULL, NULL);
}
