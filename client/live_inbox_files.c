#include "client/live_inbox.h"
#include "client/live_text.h"
#include "common/cli/tool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { JOURNAL_BYTES_MAX = 64 * 1024, NAMES_MAX = 100000, SEEN_MAX = 100000 };

static const char *const folders[] = {"taken", "done", "failed", "out"};

/* A file that is there: complete, once size and time have not changed for a while. */
struct inbox_seen {
    char *name;
    uint64_t bytes, changed_ns, since_ms;
    bool found; /* in the scan at hand */
};

static kin_status sys_error(struct kin_err *err, const char *path)
{
    char text[128];
    int sys = errno;
    return kin_err_set(err, sys == ENOSPC ? KIN_E_FULL : KIN_E_IO, "%s: %s", path,
                       strerror_r(sys, text, sizeof text));
}

static kin_status no_memory(struct kin_err *err)
{
    return kin_err_set(err, KIN_E_NOMEM, "out of memory");
}

/* ---- paths ---- */

static char *made(struct kin_buf *b)
{
    kin_buf_putc(b, '\0');
    if (!b->failed)
        return (char *)b->p;
    kin_buf_deinit(b);
    return NULL;
}

char *inbox_path(const struct kin_inbox *b, const char *folder, const char *rel, const char *suffix,
                 bool hidden)
{
    struct kin_buf path = {0};
    const char *slash = strrchr(rel, '/'), *base = slash ? slash + 1 : rel;
    kin_buf_printf(&path, "%s/%s%s%.*s%s%s%s%s", b->dir, folder, *folder ? "/" : "",
                   (int)(base - rel), rel, hidden ? "." : "", base, suffix, hidden ? ".tmp" : "");
    return made(&path);
}

bool inbox_exists(const struct kin_inbox *b, const char *folder, const char *rel,
                  const char *suffix)
{
    struct stat st;
    char *path = inbox_path(b, folder, rel, suffix, false);
    bool there = path && lstat(path, &st) == 0;
    kin_free(path);
    return there;
}

static size_t parent_bytes(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) : 0;
}

static kin_status make_parent(const char *path, struct kin_err *err)
{
    char *parent = kin_strndup(path, parent_bytes(path));
    kin_status status = KIN_OK;
    if (!parent)
        return no_memory(err);
    if (mkdir(parent, 0777) != 0 && errno != EEXIST)
        status = sys_error(err, parent);
    kin_free(parent);
    return status;
}

static kin_status sync_parent(const char *path, struct kin_err *err)
{
    char *parent = kin_strndup(path, parent_bytes(path));
    if (!parent)
        return no_memory(err);
    int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    kin_status status = fd < 0 || fsync(fd) != 0 ? sys_error(err, parent) : KIN_OK;
    if (fd >= 0)
        close(fd);
    kin_free(parent);
    return status;
}

kin_status inbox_move(char *from, char *to, struct kin_err *err)
{
    kin_status status = from && to ? make_parent(to, err) : no_memory(err);
    if (status == KIN_OK && rename(from, to) != 0)
        status = sys_error(err, from);
    if (status == KIN_OK)
        status = sync_parent(to, err);
    if (status == KIN_OK)
        status = sync_parent(from, err);
    kin_free(from);
    kin_free(to);
    return status;
}

kin_status inbox_create(struct kin_inbox *b, const char *suffix, FILE **out, struct kin_err *err)
{
    char *path = inbox_path(b, "out", b->item.as, suffix, true);
    kin_status status = path ? make_parent(path, err) : no_memory(err);
    if (status == KIN_OK && !(*out = fopen(path, "we")))
        status = sys_error(err, path);
    kin_free(path);
    return status;
}

kin_status inbox_publish(struct kin_inbox *b, const char *suffix, FILE **file, struct kin_err *err)
{
    char *from = inbox_path(b, "out", b->item.as, suffix, true);
    char *to = inbox_path(b, "out", b->item.as, suffix, false);
    bool fine = fflush(*file) == 0 && !ferror(*file) && fsync(fileno(*file)) == 0;
    kin_status status = fine ? KIN_OK : sys_error(err, from ? from : suffix);
    fclose(*file);
    *file = NULL;
    if (status == KIN_OK)
        return inbox_move(from, to, err);
    kin_free(from);
    kin_free(to);
    return status;
}

kin_status kin_inbox_open(struct kin_inbox *b, struct kin_err *err)
{
    char *lock = inbox_path(b, "", ".kindred-inbox.lock", "", false);
    kin_status status = KIN_OK;
    if (!lock)
        return no_memory(err);
    b->lock = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (b->lock < 0)
        status = sys_error(err, b->dir);
    else if (flock(b->lock, LOCK_EX | LOCK_NB) != 0)
        status = errno == EWOULDBLOCK
                     ? kin_err_set(err, KIN_E_BUSY, "%s is watched by another process", b->dir)
                     : sys_error(err, lock);
    kin_free(lock);
    for (size_t i = 0; i < sizeof folders / sizeof *folders && status == KIN_OK; i++) {
        char *path = inbox_path(b, "", folders[i], "", false);
        if (!path)
            status = no_memory(err);
        else if (mkdir(path, 0777) != 0 && errno != EEXIST)
            status = sys_error(err, path);
        kin_free(path);
    }
    return status;
}

void inbox_item_clear(struct kin_inbox_item *item)
{
    kin_free(item->name);
    kin_free(item->as);
    kin_free(item->source);
    *item = (struct kin_inbox_item){0};
}

/* ---- looking for files ---- */

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

static bool is_ignored(const char *name)
{
    return name[0] == '.' || ends_with(name, ".tmp") || ends_with(name, ".part");
}

static bool is_folder_of_ours(const char *name)
{
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        if (strcmp(name, folders[i]) == 0)
            return true;
    }
    return false;
}

static struct inbox_seen *find_seen(struct kin_inbox *b, const char *name)
{
    for (size_t i = 0; i < b->seen_count; i++) {
        if (strcmp(b->seen[i].name, name) == 0)
            return &b->seen[i];
    }
    return NULL;
}

static kin_status see(struct kin_inbox *b, const char *name, const struct stat *st, uint64_t now_ms,
                      struct kin_err *err)
{
    uint64_t changed = (uint64_t)st->st_mtim.tv_sec * 1000000000 + (uint64_t)st->st_mtim.tv_nsec;
    struct inbox_seen *s = find_seen(b, name);
    if (!s && b->seen_count == SEEN_MAX)
        return KIN_OK; /* its turn comes */
    if (!s) {
        struct inbox_seen *grown = kin_reallocarray(b->seen, b->seen_count + 1, sizeof *grown);
        char *copy = kin_strndup(name, strlen(name));
        b->seen = grown ? grown : b->seen;
        if (!grown || !copy) {
            kin_free(copy);
            return no_memory(err);
        }
        s = &b->seen[b->seen_count++];
        *s = (struct inbox_seen){.name = copy, .since_ms = now_ms, .bytes = UINT64_MAX};
    }
    if (s->bytes != (uint64_t)st->st_size || s->changed_ns != changed)
        s->since_ms = now_ms;
    s->bytes = (uint64_t)st->st_size;
    s->changed_ns = changed;
    s->found = true;
    return KIN_OK;
}

/* folder: "", or a subdirectory's name and a slash. */
static kin_status look_into(struct kin_inbox *b, const char *folder, uint64_t now_ms,
                            struct kin_err *err)
{
    kin_status status = KIN_OK;
    char *path = inbox_path(b, "", folder, "", false);
    DIR *d = path ? opendir(path) : NULL;
    if (!d) { /* a subdirectory may have gone meanwhile */
        bool gone = path && errno == ENOENT && *folder;
        status = gone ? KIN_OK : path ? sys_error(err, path) : no_memory(err);
        kin_free(path);
        return status;
    }
    struct dirent *e;
    unsigned names = 0;
    while (status == KIN_OK && names++ < NAMES_MAX &&
           (e = readdir(d))) { // NOLINT(concurrency-mt-unsafe): our own
        struct stat st;
        char *name;
        if (is_ignored(e->d_name) || fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        bool is_source =
            S_ISDIR(st.st_mode) && !*folder && !b->source && !is_folder_of_ours(e->d_name);
        if (!S_ISREG(st.st_mode) && !is_source)
            continue;
        struct kin_buf text = {0};
        kin_buf_printf(&text, "%s%s%s", folder, e->d_name, is_source ? "/" : "");
        name = made(&text);
        status = !name       ? no_memory(err)
                 : is_source ? look_into(b, name, now_ms, err) // NOLINT(misc-no-recursion): once
                             : see(b, name, &st, now_ms, err);
        kin_free(name);
    }
    closedir(d);
    kin_free(path);
    return status;
}

static void forget(struct kin_inbox *b, size_t i)
{
    kin_free(b->seen[i].name);
    b->seen[i] = b->seen[--b->seen_count];
}

static bool is_complete(const struct inbox_seen *s, uint64_t now_ms, uint64_t wall_ms)
{
    uint64_t changed_ms = s->changed_ns / 1000000;
    return now_ms - s->since_ms >= KIN_INBOX_STILL_MS ||
           (changed_ms <= wall_ms && wall_ms - changed_ms >= KIN_INBOX_STILL_MS);
}

static bool is_used(const struct kin_inbox *b, const char *as)
{
    return inbox_exists(b, "taken", as, "") || inbox_exists(b, "done", as, "") ||
           inbox_exists(b, "failed", as, "") || inbox_exists(b, "out", as, ".report.json");
}

/* The name, or with a number before its first dot where the name was used before. */
static char *free_name(const struct kin_inbox *b, const char *name)
{
    const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name;
    size_t stem = (size_t)(base - name) + strcspn(base, ".");
    char *as = kin_strndup(name, strlen(name));
    for (unsigned n = 2; as && is_used(b, as) && n < 1000000; n++) {
        struct kin_buf text = {0};
        kin_free(as);
        kin_buf_printf(&text, "%.*s.%u%s", (int)stem, name, n, name + stem);
        as = made(&text);
    }
    return as;
}

static kin_status make_item(struct kin_inbox *b, const char *name, struct kin_err *err)
{
    const char *slash = strchr(name, '/');
    inbox_item_clear(&b->item);
    b->item.name = kin_strndup(name, strlen(name));
    b->item.as = free_name(b, name);
    b->item.source =
        slash ? kin_strndup(name, (size_t)(slash - name))
              : kin_strndup(b->source ? b->source : "", b->source ? strlen(b->source) : 0);
    return b->item.name && b->item.as && b->item.source ? KIN_OK : no_memory(err);
}

kin_status inbox_scan(struct kin_inbox *b, uint64_t now_ms, uint64_t wall_ms, bool *waiting,
                      struct kin_err *err)
{
    for (size_t i = 0; i < b->seen_count; i++)
        b->seen[i].found = false;
    kin_status status = look_into(b, "", now_ms, err);
    if (status != KIN_OK)
        return status;
    size_t best = SIZE_MAX;
    for (size_t i = b->seen_count; i-- > 0;) {
        if (!b->seen[i].found)
            forget(b, i);
    }
    for (size_t i = 0; i < b->seen_count; i++) { /* the oldest first */
        const struct inbox_seen *s = &b->seen[i], *t = best == SIZE_MAX ? NULL : &b->seen[best];
        if (is_complete(s, now_ms, wall_ms) &&
            (!t || s->changed_ns < t->changed_ns ||
             (s->changed_ns == t->changed_ns && strcmp(s->name, t->name) < 0)))
            best = i;
    }
    *waiting = b->seen_count > 0;
    if (best == SIZE_MAX)
        return KIN_E_NOTFOUND;
    status = make_item(b, b->seen[best].name, err);
    forget(b, best);
    return status;
}

/* ---- the journal ---- */

static const char journal[] = ".kindred-inbox";

kin_status inbox_journal_write(struct kin_inbox *b, struct kin_err *err)
{
    struct kin_buf text = {0};
    char *from = inbox_path(b, "", journal, ".new", false);
    char *to = inbox_path(b, "", journal, "", false);
    kin_buf_puts(&text, "{\"file\":");
    kin_json_string(&text, kin_str_of(b->item.name));
    kin_buf_puts(&text, ",\"as\":");
    kin_json_string(&text, kin_str_of(b->item.as));
    kin_buf_puts(&text, ",\"source\":");
    kin_json_string(&text, kin_str_of(b->item.source));
    kin_buf_printf(&text, ",\"before\":%llu}\n", (unsigned long long)b->item.before);
    kin_status status = from && to && !text.failed ? KIN_OK : no_memory(err);
    FILE *f = status == KIN_OK ? fopen(from, "we") : NULL;
    if (status == KIN_OK &&
        (!f || fwrite(text.p, 1, text.n, f) != text.n || fflush(f) != 0 || fsync(fileno(f)) != 0))
        status = sys_error(err, from);
    if (f)
        fclose(f);
    kin_buf_deinit(&text);
    if (status == KIN_OK)
        return inbox_move(from, to, err);
    kin_free(from);
    kin_free(to);
    return status;
}

static char *copy_member(const json_t *o, const char *key)
{
    struct kin_str text = kin_served_member(o, key);
    return kin_strndup(text.p, text.n);
}

kin_status inbox_journal_read(struct kin_inbox *b, struct kin_err *err)
{
    struct kin_buf text = {0};
    char *path = inbox_path(b, "", journal, "", false);
    kin_status status = KIN_E_NOTFOUND;
    if (path && access(path, F_OK) == 0)
        status = kin_cli_read_file(path, JOURNAL_BYTES_MAX, &text, err);
    else if (!path)
        status = no_memory(err);
    json_t *o = NULL;
    if (status == KIN_OK) {
        o = kin_served_object((struct kin_str){(const char *)text.p, text.n}, err);
        inbox_item_clear(&b->item);
        b->item.name = copy_member(o, "file");
        b->item.as = copy_member(o, "as");
        b->item.source = copy_member(o, "source");
        json_int_t before = json_integer_value(json_object_get(o, "before"));
        b->item.before = before > 0 ? (uint64_t)before : 0;
        b->item.again = true;
        bool fine = b->item.name && b->item.as && b->item.source;
        status = !fine ? no_memory(err)
                 : b->item.name[0] && b->item.as[0]
                     ? KIN_OK
                     : kin_err_set(err, KIN_E_CORRUPT, "%s is no journal", path);
    }
    json_decref(o);
    kin_buf_deinit(&text);
    kin_free(path);
    return status;
}

kin_status inbox_journal_remove(struct kin_inbox *b, struct kin_err *err)
{
    char *path = inbox_path(b, "", journal, "", false);
    kin_status status = KIN_OK;
    if (!path)
        return no_memory(err);
    if (unlink(path) != 0 && errno != ENOENT)
        status = sys_error(err, path);
    if (status == KIN_OK)
        status = sync_parent(path, err);
    kin_free(path);
    return status;
}

void kin_inbox_close(struct kin_inbox *b)
{
    FILE **files[] = {&b->matches, &b->errors, &b->changes};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (*files[i])
            fclose(*files[i]);
        *files[i] = NULL;
    }
    while (b->seen_count)
        forget(b, 0);
    kin_free(b->seen);
    b->seen = NULL;
    inbox_item_clear(&b->item);
    kin_put_deinit(&b->put);
    kin_buf_deinit(&b->path_put);
    kin_buf_deinit(&b->text);
    if (b->lock >= 0)
        close(b->lock);
    b->lock = -1;
}
