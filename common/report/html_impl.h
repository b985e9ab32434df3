#ifndef KIN_REPORT_HTML_IMPL_H
#define KIN_REPORT_HTML_IMPL_H
/* Private to common/report: what the sections of the page are written with. */
#include "common/match/model.h"
#include "common/report/report_html.h"

#include <jansson.h>

enum {
    TEXT_BYTES_MAX = 160, /* of a name or value in the page; a longer one is cut */
    SOURCE_ROWS_MAX = 200,
    KEY_ROWS_MAX = 100,
    BLOCK_ROWS_MAX = 60,
    FIELD_ROWS_MAX = 200,
    REASON_ROWS_MAX = 50,
    GROUP_ROWS_MAX = 20
};

struct page {
    struct kin_buf *out;
    const json_t *report;
    const struct kin_model *model; /* NULL: none */
    struct kin_model_tables tables;
    const struct kin_waterfall *waterfalls;
    size_t waterfall_count;
};

/* ---- reading: nothing is believed; what is not there is 0, "" or an empty list ---- */

uint64_t json_count(const json_t *o, const char *key);
double json_measure(const json_t *o, const char *key); /* finite, within +-1e15 */
const char *json_words(const json_t *o, const char *key);

/* ---- text ---- */

void put(struct page *p, const char *html);                /* ours */
void put_text(struct page *p, const char *text);           /* theirs */
void put_bytes(struct page *p, struct kin_str text);       /* theirs; may be no UTF-8 */
void put_long_text(struct page *p, const char *text);      /* theirs, a paragraph: not cut */
void put_escaped(struct page *p, struct kin_str text);     /* cut, without markup around it */
void put_count(struct page *p, uint64_t n);                /* <data value="1234">1,234</data> */
void put_plain_count(struct page *p, uint64_t n);          /* 1,234 */
void put_bits(struct page *p, double bits);                /* +3.21 */
void put_share(struct page *p, double part, double whole); /* 12.3 % */
void put_probability(struct page *p,
                     double probability); /* enough digits to tell it from 0 and 1 */

/* ---- pieces ---- */

void section_begin(struct page *p, const char *id, const char *title, const char *lead);
void section_end(struct page *p);
void head_cell(struct page *p, const char *title, bool number);
void cell_count(struct page *p, uint64_t n);
void cell_text(struct page *p, const char *text);
void row_header(struct page *p, const char *text);
void rows_left_out(struct page *p, size_t shown, size_t all, const char *what);

/* A bar inside a table's cell: rectangles side by side, in percent of the width. */
struct bar_part {
    const char *class;  /* of CSS */
    double from, share; /* 0..1 */
};
void cell_bar(struct page *p, const struct bar_part *parts, size_t n);

/* Columns with their numbers above them; labels are ours. */
void column_chart(struct page *p, const char *description, const char *const *labels,
                  const uint64_t *counts, size_t n);

double bits_probability(double bits);
double primary_weight(const struct page *p); /* bits of the threshold that decides; 0: unknown */

/* ---- sections ---- */

void page_head(struct page *p);
void section_summary(struct page *p);
void section_groups(struct page *p);
void section_data(struct page *p);
void section_time(struct page *p);
void section_weights(struct page *p);
void section_thresholds(struct page *p);
void section_model(struct page *p);
void section_doubts(struct page *p);
void section_blocking(struct page *p);
void section_waterfalls(struct page *p);

#endif
