/* Blocking: which keys find the pairs, what they cost, and what they miss. */
#include "common/report/html_impl.h"

#include <string.h>

static const struct kin_model_pass *pass_of(const struct page *p, const char *key)
{
    for (unsigned i = 0; p->model && i < p->model->origin.pass_count; i++) {
        if (strcmp(p->model->origin.passes[i].name, key) == 0)
            return &p->model->origin.passes[i];
    }
    return NULL;
}

static bool knows_recall(const struct page *p)
{
    for (unsigned i = 0; p->model && i < p->model->origin.pass_count; i++) {
        if (p->model->origin.passes[i].recall >= 0)
            return true;
    }
    return false;
}

static void key_bar(struct page *p, const json_t *key, double most)
{
    double pairs = (double)json_count(key, "pairs");
    double compared = (double)json_count(key, "compared");
    double seen = (double)json_count(key, "seen_before");
    double rest = pairs - compared - seen;
    struct bar_part parts[3] = {{"main", 0, compared / most},
                                {"other", compared / most, seen / most},
                                {"third", (compared + seen) / most, rest > 0 ? rest / most : 0}};
    cell_bar(p, parts, 3);
}

static void key_row(struct page *p, const json_t *key, double most, bool recall)
{
    const char *text = json_words(key, "key");
    const struct kin_model_pass *pass = pass_of(p, text);
    bool star = json_is_true(json_object_get(key, "star"));
    put(p, "<tr><th scope=\"row\"><code>");
    put_text(p, text);
    put(p, star ? "</code> <span class=\"tag\">equal values, joined without comparing</span></th>"
                : "</code></th>");
    if (star)
        cell_bar(p, NULL, 0);
    else
        key_bar(p, key, most);
    cell_count(p, json_count(key, "pairs"));
    cell_count(p, json_count(key, "compared"));
    cell_count(p, json_count(key, "seen_before"));
    cell_count(p, json_count(key, "matched"));
    put(p, "<td class=\"n\">");
    put_share(p, (double)json_count(key, "matched"),
              (double)json_count(p->report, "pairs_matched"));
    put(p, "</td>");
    if (recall) {
        put(p, "<td class=\"n\">");
        if (pass && pass->recall >= 0)
            put_share(p, pass->recall, 1);
        else
            put(p, "\xe2\x80\x93");
        put(p, "</td>");
    }
    cell_count(p, json_count(key, "blocks"));
    cell_count(p, json_count(key, "largest_block"));
    put(p, "</tr>\n");
}

static void keys_table(struct page *p)
{
    const json_t *keys = json_object_get(p->report, "keys");
    size_t n = json_array_size(keys);
    bool recall = knows_recall(p);
    double most = 1;
    for (size_t i = 0; i < n; i++) {
        const json_t *key = json_array_get(keys, i);
        double decided =
            (double)json_count(key, "compared") + (double)json_count(key, "seen_before");
        double pairs = (double)json_count(key, "pairs");
        if (!json_is_true(json_object_get(key, "star")))
            most = pairs > most ? pairs : decided > most ? decided : most;
    }
    put(p, "<ul class=\"legend\"><li><svg aria-hidden=\"true\"><rect class=\"main\" width=\"11\" "
           "height=\"11\" rx=\"2\"/></svg>compared here</li><li><svg aria-hidden=\"true\"><rect "
           "class=\"other\" width=\"11\" height=\"11\" rx=\"2\"/></svg>compared under an earlier "
           "key</li><li><svg aria-hidden=\"true\"><rect class=\"third\" width=\"11\" "
           "height=\"11\" rx=\"2\"/></svg>not compared: in oversized blocks, or within one "
           "source</li></ul>\n<div class=\"scroll\"><table id=\"keys\"><thead><tr>");
    head_cell(p, "blocking key", false);
    head_cell(p, "", false);
    head_cell(p, "pairs", true);
    head_cell(p, "compared", true);
    head_cell(p, "seen before", true);
    head_cell(p, "matched", true);
    head_cell(p, "of all matched", true);
    if (recall)
        head_cell(p, "recall, est.", true);
    head_cell(p, "blocks", true);
    head_cell(p, "largest", true);
    put(p, "</tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < n && i < KEY_ROWS_MAX; i++)
        key_row(p, json_array_get(keys, i), most, recall);
    put(p, "</tbody></table></div>\n");
    rows_left_out(p, KEY_ROWS_MAX, n, "keys");
}

static void found(struct page *p)
{
    const struct kin_model_origin *o = p->model ? &p->model->origin : NULL;
    if (!o || !o->matches)
        return;
    put(p, "<p>All keys together find about ");
    put_share(p, (double)o->found, (double)o->matches);
    put(p, " of the pairs that match: ");
    put_count(p, o->found);
    put(p, " of an estimated ");
    put_count(p, o->matches);
    put(p, " (95\xc2\xa0% interval ");
    put_count(p, o->matches_low);
    put(p, " to ");
    put_count(p, o->matches_high);
    put(p, "). The estimate rests on how far the keys overlap; what all of them miss for the same "
           "reason cannot be seen.</p>\n");
}

static void blocks_table(struct page *p, const char *list, bool oversized, const char *title)
{
    const json_t *blocks = json_object_get(p->report, list);
    size_t n = json_array_size(blocks);
    double most = 1;
    if (n == 0)
        return;
    for (size_t i = 0; i < n; i++) {
        double records = (double)json_count(json_array_get(blocks, i), "records");
        most = records > most ? records : most;
    }
    kin_buf_printf(p->out, "<h3>%s</h3>\n<div class=\"scroll\"><table><thead><tr>", title);
    head_cell(p, "value", false);
    head_cell(p, "key", false);
    head_cell(p, "", false);
    head_cell(p, "records", true);
    head_cell(p, "pairs", true);
    if (oversized)
        head_cell(p, "pairs left out", true);
    put(p, "</tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < n && i < BLOCK_ROWS_MAX; i++) {
        const json_t *block = json_array_get(blocks, i);
        struct bar_part part = {oversized ? "against" : "other", 0,
                                (double)json_count(block, "records") / most};
        put(p, "<tr>");
        row_header(p, json_words(block, "value"));
        put(p, "<td><code>");
        put_text(p, json_words(block, "key"));
        put(p, "</code></td>");
        cell_bar(p, &part, 1);
        cell_count(p, json_count(block, "records"));
        cell_count(p, json_count(block, "pairs"));
        if (oversized)
            cell_count(p, json_count(block, "pairs_left_out"));
        put(p, "</tr>\n");
    }
    put(p, "</tbody></table></div>\n");
    rows_left_out(p, BLOCK_ROWS_MAX, n, "blocks");
}

void section_blocking(struct page *p)
{
    section_begin(p, "blocking", "Blocking",
                  "Only records that share a key are compared. A pair that shares several is "
                  "compared once, under the first.");
    keys_table(p);
    found(p);
    blocks_table(p, "oversized_blocks", true, "Oversized blocks, refined or compared in windows");
    blocks_table(p, "large_blocks", false, "The largest blocks of each key");
    section_end(p);
}
