#include "common/store/lmdb_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The file format of LMDB 0.9 (data version 1) on a 64-bit little-endian machine. A page starts
 * with its number (8 bytes), padding (2), flags (2), and where free space begins and ends (2 + 2),
 * or for a run of overflow pages their count (4); then offsets (2 each) of its nodes, which fill
 * it from the end. A node is data size (4, low half first), flags (2), key size (2), key, data; in
 * a branch the first six bytes are a page number instead. */
enum {
    PAGE_HEADER = 16,
    PAGE_FLAGS = 10,
    PAGE_LOWER = 12,
    PAGE_UPPER = 14,
    FLAG_BRANCH = 1,
    FLAG_LEAF = 2,
    FLAG_OVERFLOW = 4,
    FLAG_META = 8,
    NODE_HEADER = 8,
    NODE_BIG = 1,
    NODE_SUB = 2,
    PAGE_MIN = 512,
    PAGE_MAX = 65536,
    DEPTH_MAX = 32,
    TREE_BYTES = 48,
    META_MAGIC = PAGE_HEADER,
    META_VERSION = PAGE_HEADER + 4,
    META_TREES = PAGE_HEADER + 24,
    META_LAST_PAGE = META_TREES + 2 * TREE_BYTES,
    META_TXN = META_LAST_PAGE + 8,
    META_END = META_TXN + 8,
    INTEGER_KEYS = 8, /* the one flag that the free list has */
    IDS_AT_ONCE = 512,
    /* pages given out last and freed in the same transaction are never written, so the file may end
     * before the last page that counts as used; by more than this it was cut off */
    UNWRITTEN_MAX = 1 << 20,
};
#define NO_PAGE UINT64_MAX

struct tree {
    uint16_t flags;
    uint16_t depth;
    uint64_t entries;
    uint64_t root;
    char name[24];
};

struct check {
    int fd;
    const char *path;
    struct kin_err *err;
    size_t page_bytes;
    uint64_t file_pages;
    uint64_t last_page;
    uint8_t *seen;    /* one bit a page of the file */
    uint8_t *buffers; /* a page for each level of a tree */
    uint8_t *starts;  /* where nodes of a page start and end: one bit per two bytes */
    uint8_t *ends;

    const struct tree *tree; /* the one that is being walked */
    bool is_free_list, is_main;
    uint64_t entries;
    const uint8_t *key; /* the last key or separator that was passed, in a page or in `kept` */
    size_t key_bytes;
    bool key_taken; /* the next one must be greater, not just no less */
    uint8_t kept[KIN_STORE_KEY_MAX];
    struct tree subs[KIN_DBS_MAX];
    size_t sub_count;
};

static kin_status bad(const struct check *c, uint64_t page, const char *what)
{
    return kin_err_set(c->err, KIN_E_CORRUPT, "%s/data.mdb: page %llu of tree '%s': %s", c->path,
                       (unsigned long long)page, c->tree ? c->tree->name : "head", what);
}

static bool set_bit(uint8_t *bits, uint64_t i) /* true: it was not set */
{
    uint8_t bit = (uint8_t)(1U << (i & 7));
    bool was = bits[i >> 3] & bit;
    bits[i >> 3] |= bit;
    return !was;
}

static bool has_bit(const uint8_t *bits, uint64_t i)
{
    return bits[i >> 3] >> (i & 7) & 1;
}

static kin_status read_at(const struct check *c, uint64_t page, size_t offset, void *to, size_t n)
{
    uint8_t *p = to;
    uint64_t at = page * c->page_bytes + offset;
    while (n > 0) {
        ssize_t got = pread(c->fd, p, n, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return kin_lmdb_fail(c->err, errno, c->path, "cannot read data.mdb");
        if (got == 0)
            return bad(c, page, "is cut off");
        p += got;
        at += (uint64_t)got;
        n -= (size_t)got;
    }
    return KIN_OK;
}

/* Each page has one use: this also ends walks in circles. */
static kin_status claim(struct check *c, uint64_t page, uint64_t count)
{
    if (page < 2 || page >= c->file_pages || count > c->file_pages - page ||
        page + count - 1 > c->last_page)
        return bad(c, page, "lies outside the file");
    for (uint64_t i = 0; i < count; i++) {
        if (!set_bit(c->seen, page + i))
            return bad(c, page + i, "is used twice");
    }
    return KIN_OK;
}

/* ---- one page ---- */

static size_t even(size_t n)
{
    return (n + 1) & ~(size_t)1;
}

static size_t node_bytes(const uint8_t *node, bool leaf)
{
    size_t n = NODE_HEADER + (size_t)kin_le16(node + 6);
    if (leaf)
        n += kin_le16(node + 4) & NODE_BIG ? sizeof(uint64_t) : kin_le32(node);
    return even(n);
}

static size_t node_at(const uint8_t *page, size_t i)
{
    return kin_le16(page + PAGE_HEADER + 2 * i);
}

/* The nodes must tile [upper, end of page) exactly: distinct starts, distinct ends, each end a
 * start or the end of the page, and sizes that add up. LMDB moves nodes about within a page by
 * these figures. */
static const char *check_tiling(struct check *c, const uint8_t *page, size_t count, size_t upper,
                                bool leaf)
{
    memset(c->starts, 0, c->page_bytes / 16 + 1);
    memset(c->ends, 0, c->page_bytes / 16 + 1);
    size_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        size_t at = node_at(page, i);
        if (at < upper || at % 2 || at + NODE_HEADER > c->page_bytes)
            return "has a node outside its bounds";
        size_t n = node_bytes(page + at, leaf);
        if (n > c->page_bytes - at)
            return "has a node that is too long";
        if (!set_bit(c->starts, at / 2) || !set_bit(c->ends, (at + n) / 2))
            return "has nodes that overlap";
        sum += n;
    }
    if (sum != c->page_bytes - upper)
        return "has gaps between its nodes";
    for (size_t i = 0; i < count; i++) {
        size_t end = node_at(page, i) + node_bytes(page + node_at(page, i), leaf);
        if (end != c->page_bytes && !has_bit(c->starts, end / 2))
            return "has nodes that overlap";
    }
    return NULL;
}

static kin_status load_page(struct check *c, uint64_t number, uint8_t *page, bool leaf,
                            size_t *count)
{
    kin_status st = claim(c, number, 1);
    if (!st)
        st = read_at(c, number, 0, page, c->page_bytes);
    if (st)
        return st;
    if (kin_le64(page) != number || kin_le16(page + PAGE_FLAGS) != (leaf ? FLAG_LEAF : FLAG_BRANCH))
        return bad(c, number, "is not the page that it should be");
    size_t lower = kin_le16(page + PAGE_LOWER);
    size_t upper = kin_le16(page + PAGE_UPPER);
    size_t least = leaf || c->is_free_list ? 1 : 2;
    if (lower < PAGE_HEADER + 2 * least || lower % 2 || lower > upper || upper > c->page_bytes)
        return bad(c, number, "has wrong bounds");
    *count = (lower - PAGE_HEADER) / 2;
    const char *what = check_tiling(c, page, *count, upper, leaf);
    return what ? bad(c, number, what) : KIN_OK;
}

static int compare(const struct check *c, const uint8_t *key, size_t n)
{
    if (!c->is_free_list) {
        int order = memcmp(c->key, key, c->key_bytes < n ? c->key_bytes : n);
        return order ? order : c->key_bytes < n ? -1 : c->key_bytes > n;
    }
    uint64_t a = kin_le64(c->key);
    uint64_t b = kin_le64(key);
    return a < b ? -1 : a > b;
}

static kin_status pass_key(struct check *c, uint64_t number, const uint8_t *node, bool taken)
{
    size_t n = kin_le16(node + 6);
    const uint8_t *key = node + NODE_HEADER;
    if (n == 0 || n > KIN_STORE_KEY_MAX || (c->is_free_list && n != sizeof(uint64_t)))
        return bad(c, number, "has a key of a wrong size");
    if (c->key) {
        int order = compare(c, key, n);
        if (order > 0 || (order == 0 && c->key_taken))
            return bad(c, number, "has keys out of order");
    }
    c->key = key;
    c->key_bytes = n;
    c->key_taken = taken;
    return KIN_OK;
}

/* The page that holds the last key is about to make room for another. */
static void keep_key(struct check *c)
{
    memcpy(c->kept, c->key, c->key_bytes);
    c->key = c->kept;
}

/* ---- values ---- */

static kin_status check_overflow(struct check *c, uint64_t number, uint64_t first, size_t bytes)
{
    uint8_t header[PAGE_HEADER];
    kin_status st = claim(c, first, 1);
    if (!st)
        st = read_at(c, first, 0, header, sizeof header);
    if (st)
        return st;
    uint64_t pages = kin_le32(header + PAGE_LOWER);
    uint64_t need = (PAGE_HEADER - 1 + bytes) / c->page_bytes + 1;
    if (kin_le64(header) != first || kin_le16(header + PAGE_FLAGS) != FLAG_OVERFLOW || pages < need)
        return bad(c, number, "points to a wrong run of pages");
    return pages > 1 ? claim(c, first + 1, pages - 1) : KIN_OK;
}

/* A value of the free list: a count, then page numbers from high to low. */
static kin_status check_free_pages(struct check *c, uint64_t page, size_t offset, size_t bytes)
{
    uint64_t ids[IDS_AT_ONCE];
    if (bytes < sizeof ids[0] || bytes % sizeof ids[0])
        return bad(c, page, "has a list of free pages of a wrong size");
    kin_status st = read_at(c, page, offset, ids, sizeof ids[0]);
    if (st)
        return st;
    uint64_t left = ids[0];
    if (left > bytes / sizeof ids[0] - 1)
        return bad(c, page, "has a list of free pages that is too long");
    uint64_t last = c->last_page + 1;
    offset += sizeof ids[0];
    while (left > 0) {
        size_t n = left < IDS_AT_ONCE ? (size_t)left : IDS_AT_ONCE;
        st = read_at(c, page, offset, ids, n * sizeof ids[0]);
        if (st)
            return st;
        for (size_t i = 0; i < n; i++) {
            if (ids[i] < 2 || ids[i] >= last)
                return bad(c, page, "has a wrong list of free pages");
            last = ids[i];
            if (last < c->file_pages && !set_bit(c->seen, last))
                return bad(c, last, "is free and in use");
        }
        offset += n * sizeof ids[0];
        left -= n;
    }
    return KIN_OK;
}

static struct tree tree_of(const uint8_t *p)
{
    return (struct tree){.flags = kin_le16(p + 4),
                         .depth = kin_le16(p + 6),
                         .entries = kin_le64(p + 32),
                         .root = kin_le64(p + 40)};
}

static kin_status add_sub(struct check *c, uint64_t number, const uint8_t *node)
{
    if (!c->is_main || kin_le32(node) != TREE_BYTES || c->sub_count == KIN_DBS_MAX)
        return bad(c, number, "has a tree where there should be none");
    size_t key_bytes = kin_le16(node + 6);
    struct tree *sub = &c->subs[c->sub_count++];
    *sub = tree_of(node + NODE_HEADER + key_bytes);
    memcpy(sub->name, node + NODE_HEADER,
           key_bytes < sizeof sub->name ? key_bytes : sizeof sub->name - 1);
    return KIN_OK;
}

static kin_status check_leaf_node(struct check *c, uint64_t number, const uint8_t *page, size_t at)
{
    const uint8_t *node = page + at;
    unsigned flags = kin_le16(node + 4);
    size_t bytes = kin_le32(node);
    kin_status st = pass_key(c, number, node, true);
    if (st)
        return st;
    c->entries++;
    if (flags == NODE_SUB)
        return add_sub(c, number, node);
    if (flags != 0 && flags != NODE_BIG)
        return bad(c, number, "has a node of an unknown kind");
    uint64_t data_page = number;
    size_t data_at = at + NODE_HEADER + kin_le16(node + 6);
    if (flags == NODE_BIG) {
        data_page = kin_le64(page + data_at);
        data_at = PAGE_HEADER;
        st = check_overflow(c, number, data_page, bytes);
    }
    if (!st && c->is_free_list)
        st = check_free_pages(c, data_page, data_at, bytes);
    return st;
}

/* ---- trees ---- */

// NOLINTNEXTLINE(misc-no-recursion): at most DEPTH_MAX deep
static kin_status walk(struct check *c, uint64_t number, unsigned level)
{
    uint8_t *page = c->buffers + level * c->page_bytes;
    bool leaf = level + 1 == c->tree->depth;
    size_t count = 0;
    kin_status st = load_page(c, number, page, leaf, &count);
    for (size_t i = 0; !st && i < count; i++) {
        size_t at = node_at(page, i);
        if (leaf) {
            st = check_leaf_node(c, number, page, at);
            continue;
        }
        if (i > 0) /* the leftmost key of a branch means "least" and is not looked at */
            st = pass_key(c, number, page + at, false);
        if (!st)
            st = walk(c, kin_le32(page + at) | (uint64_t)kin_le16(page + at + 4) << 32, level + 1);
    }
    if (!st && leaf)
        keep_key(c);
    return st;
}

static kin_status check_tree(struct check *c, const struct tree *tree)
{
    c->tree = tree;
    c->entries = 0;
    c->key = NULL;
    if (tree->depth > DEPTH_MAX || (tree->depth == 0) != (tree->root == NO_PAGE) ||
        tree->flags != (c->is_free_list ? INTEGER_KEYS : 0))
        return bad(c, tree->root, "is a root that makes no sense");
    kin_status st = tree->depth ? walk(c, tree->root, 0) : KIN_OK;
    if (!st && c->entries != tree->entries)
        st = bad(c, tree->root, "has a wrong count of entries below it");
    return st;
}

static kin_status check_trees(struct check *c, const uint8_t *meta)
{
    struct tree free_list = tree_of(meta + META_TREES);
    struct tree main_tree = tree_of(meta + META_TREES + TREE_BYTES);
    memcpy(free_list.name, "free", 5);
    memcpy(main_tree.name, "main", 5);
    c->is_free_list = true;
    kin_status st = check_tree(c, &free_list);
    c->is_free_list = false;
    c->is_main = true;
    if (!st)
        st = check_tree(c, &main_tree);
    c->is_main = false;
    for (size_t i = 0; !st && i < c->sub_count; i++)
        st = check_tree(c, &c->subs[i]);
    c->tree = NULL;
    return st;
}

/* ---- the head ---- */

static kin_status check_meta(struct check *c, uint64_t number, const uint8_t *meta)
{
    if (kin_le16(meta + PAGE_FLAGS) != FLAG_META || kin_le32(meta + META_MAGIC) != 0xBEEFC0DE)
        return bad(c, number, "is not the head of a store");
    if (kin_le32(meta + META_VERSION) != 1)
        return kin_err_set(c->err, KIN_E_VERSION, "%s/data.mdb: file version %u", c->path,
                           kin_le32(meta + META_VERSION));
    uint64_t last = kin_le64(meta + META_LAST_PAGE);
    if (kin_le32(meta + META_TREES) != c->page_bytes || last < 1 ||
        last > c->file_pages + UNWRITTEN_MAX)
        return bad(c, number, "has figures that make no sense");
    return KIN_OK;
}

/* Reads both heads; the one of the later transaction counts. */
static kin_status check_head(struct check *c, uint8_t newest[META_END], uint64_t file_bytes)
{
    uint8_t heads[2][META_END];
    c->page_bytes = PAGE_MIN;
    kin_status st = read_at(c, 0, 0, heads[0], META_END);
    if (st)
        return st;
    size_t page_bytes = kin_le32(heads[0] + META_TREES);
    if (page_bytes < PAGE_MIN || page_bytes > PAGE_MAX || (page_bytes & (page_bytes - 1)))
        return bad(c, 0, "has figures that make no sense");
    c->page_bytes = page_bytes;
    c->file_pages = file_bytes / page_bytes;
    if (c->file_pages < 2)
        return bad(c, 1, "is cut off");
    st = read_at(c, 1, 0, heads[1], META_END);
    for (unsigned i = 0; !st && i < 2; i++)
        st = check_meta(c, i, heads[i]);
    if (st)
        return st;
    const uint8_t *use =
        kin_le64(heads[1] + META_TXN) > kin_le64(heads[0] + META_TXN) ? heads[1] : heads[0];
    memcpy(newest, use, META_END);
    c->last_page = kin_le64(use + META_LAST_PAGE);
    return KIN_OK;
}

static kin_status check_file(struct check *c, uint64_t file_bytes)
{
    uint8_t meta[META_END] = {0};
    kin_status st = check_head(c, meta, file_bytes);
    if (st)
        return st;
    c->seen = kin_calloc(c->file_pages / 8 + 1, 1);
    c->buffers = kin_alloc(DEPTH_MAX * c->page_bytes);
    c->starts = kin_alloc(c->page_bytes / 16 + 1);
    c->ends = kin_alloc(c->page_bytes / 16 + 1);
    st = c->seen && c->buffers && c->starts && c->ends
             ? check_trees(c, meta)
             : kin_err_set(c->err, KIN_E_NOMEM, "%s: no memory to check the store", c->path);
    kin_free(c->seen);
    kin_free(c->buffers);
    kin_free(c->starts);
    kin_free(c->ends);
    return st;
}

kin_status kin_lmdb_check(struct kin_lmdb_dir *dir, struct kin_err *err)
{
    int fd = openat(dir->fd, "data.mdb", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return kin_lmdb_fail(err, errno, dir->path, "cannot open data.mdb");
    struct check c = {.fd = fd, .path = dir->path, .err = err};
    struct stat s;
    kin_status st = fstat(fd, &s) ? kin_lmdb_fail(err, errno, dir->path, "cannot look at data.mdb")
                                  : check_file(&c, (uint64_t)s.st_size);
    close(fd);
    return st;
}
