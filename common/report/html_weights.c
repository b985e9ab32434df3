/* The weights of pairs: a histogram with the thresholds in it, and what each threshold makes. */
#include "common/match/exact_math.h"
#include "common/report/html_impl.h"

enum {
    WIDTH = 960,
    LEFT = 52,
    RIGHT = 12,
    TOP = 34,
    BASE = 250,
    HEIGHT = 296,
    LABEL_ROOM = 22,
    AXIS_BITS_MAX = 1000,
    BINS_MAX = 256
};

#define PAIRS_MAX 4e18 /* of a bin: two of them still fit a number */

struct bin {
    double from;
    double rough; /* below the floor: estimated from a sample */
    double exact;
};
struct histogram {
    struct bin bins[BINS_MAX];
    size_t n;
    double width;     /* of a bin, bits */
    double low, high; /* of the axis */
    double decades;   /* of the other one */
    double primary;   /* the threshold that decides */
};

double primary_weight(const struct page *p)
{
    const json_t *list = json_object_get(json_object_get(p->report, "model"), "thresholds");
    double weight = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *t = json_array_get(list, i);
        if (i == 0 || json_is_true(json_object_get(t, "primary")))
            weight = json_measure(t, "weight");
    }
    return weight < -AXIS_BITS_MAX  ? -AXIS_BITS_MAX
           : weight > AXIS_BITS_MAX ? AXIS_BITS_MAX
                                    : weight;
}

static void read_bins(const struct page *p, struct histogram *h)
{
    const json_t *model = json_object_get(p->report, "model");
    const json_t *list = json_object_get(model, "weights");
    double one_in = (double)json_count(model, "weighed_one_in"), most = 1;
    h->width = 0.5;
    h->primary = primary_weight(p);
    h->low = h->primary - 2;
    h->high = h->primary + 2;
    for (size_t i = 0; i < json_array_size(list) && h->n < BINS_MAX; i++) {
        const json_t *o = json_array_get(list, i);
        struct bin b = {json_measure(o, "from"), (double)json_count(o, "below_floor") * one_in,
                        (double)json_count(o, "from_floor")};
        if (!(b.from >= -AXIS_BITS_MAX && b.from <= AXIS_BITS_MAX))
            continue;
        b.rough = b.rough < PAIRS_MAX ? b.rough : PAIRS_MAX;
        b.exact = b.exact < PAIRS_MAX ? b.exact : PAIRS_MAX;
        h->bins[h->n++] = b;
        h->low = b.from < h->low ? b.from : h->low;
        h->high = b.from + h->width > h->high ? b.from + h->width : h->high;
        most = b.rough + b.exact > most ? b.rough + b.exact : most;
    }
    h->decades = 1;
    double power = 10;
    while (power < most && h->decades < 20) {
        power *= 10;
        h->decades++;
    }
}

static double at_x(const struct histogram *h, double bits)
{
    return LEFT + (bits - h->low) / (h->high - h->low) * (WIDTH - LEFT - RIGHT);
}

/* Logarithmic from 1 on; what is below one pair lies on the ground. */
static double at_y(const struct histogram *h, double pairs)
{
    static const double log2_10 = 3.3219280948873623;
    double decades = pairs >= 1 ? kin_math_log2(pairs) / log2_10 + 0.12 : 0;
    return BASE - decades / (h->decades + 0.12) * (BASE - TOP);
}

static void grid(struct page *p, const struct histogram *h)
{
    static const char *const powers[] = {"1",       "10",    "100",  "1,000", "10,000",
                                         "100,000", "1 M",   "10 M", "100 M", "1 G",
                                         "10 G",    "100 G", "1 T"};
    double power = 1;
    for (size_t i = 0; i < sizeof powers / sizeof *powers && (double)i <= h->decades; i++) {
        double y = at_y(h, power);
        power *= 10;
        kin_buf_printf(p->out,
                       "<path class=\"grid\" d=\"M%d %.1fH%d\"/><text class=\"end\" x=\"%d\" "
                       "y=\"%.1f\">%s</text>\n",
                       LEFT, y, WIDTH - RIGHT, LEFT - 8, y + 4, powers[i]);
    }
    int step = h->high - h->low > 60 ? 10 : 5;
    int first = (int)(h->low / step) * step;
    for (int bits = first; bits <= h->high; bits += step) {
        double x = at_x(h, bits);
        if (x < LEFT + LABEL_ROOM)
            continue;
        kin_buf_printf(p->out,
                       "<path class=\"axis\" d=\"M%.1f %dv5\"/><text class=\"mid\" x=\"%.1f\" "
                       "y=\"%d\">%s%d</text><text class=\"mid\" x=\"%.1f\" y=\"%d\">",
                       x, BASE, x, BASE + 19, bits < 0 ? "\xe2\x88\x92" : "",
                       bits < 0 ? -bits : bits, x, BASE + 36);
        put_probability(p, bits_probability(bits));
        put(p, "</text>\n");
    }
    kin_buf_printf(p->out,
                   "<path class=\"axis\" d=\"M%d %d.5H%d\"/><text class=\"end\" x=\"%d\" "
                   "y=\"%d\">bits</text><text class=\"end\" x=\"%d\" y=\"%d\">prob.</text>\n",
                   LEFT, BASE, WIDTH - RIGHT, LEFT - 8, BASE + 19, LEFT - 8, BASE + 36);
}

static void rect(struct page *p, const char *class, double from, double to, double y)
{
    if (to > from)
        kin_buf_printf(p->out,
                       "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.2f\" height=\"%.1f\"/>",
                       class, from, y, to - from, BASE - y);
}

static void bars(struct page *p, const struct histogram *h)
{
    for (size_t i = 0; i < h->n; i++) {
        const struct bin *b = &h->bins[i];
        double end = b->from + h->width, y = at_y(h, b->rough + b->exact);
        double split = h->primary < b->from ? b->from : h->primary > end ? end : h->primary;
        double gap = 0.6;
        put(p, "<g>");
        rect(p, "other", at_x(h, b->from), at_x(h, split) - gap, y);
        rect(p, "main", at_x(h, split), at_x(h, end) - gap, y);
        kin_buf_printf(p->out, "<title>%.1f to %.1f bits: %s", b->from, end,
                       b->rough > 0 ? "about " : "");
        put_plain_count(p, (uint64_t)(b->rough + b->exact));
        put(p, " pairs</title></g>\n");
    }
}

static void marks(struct page *p, const struct histogram *h)
{
    const json_t *list = json_object_get(json_object_get(p->report, "model"), "thresholds");
    size_t n = json_array_size(list);
    for (size_t i = 0; i < n && i < 32; i++) {
        const json_t *t = json_array_get(list, i);
        double weight = json_measure(t, "weight");
        if (!(weight >= h->low && weight <= h->high))
            continue;
        double x = at_x(h, weight);
        bool primary = json_is_true(json_object_get(t, "primary")) || n == 1;
        kin_buf_printf(p->out, "<path class=\"cut%s\" d=\"M%.1f %dV%d\"/>", primary ? " first" : "",
                       x, TOP - 8, BASE);
        /* labels of thresholds that lie close together take turns in height */
        kin_buf_printf(p->out, "<text class=\"marked mid\" x=\"%.1f\" y=\"%d\">", x,
                       TOP - 12 - (i % 2 ? 12 : 0));
        put_escaped(p, kin_str_of(json_words(t, "threshold")));
        put(p, "</text>\n");
    }
}

static void note(struct page *p)
{
    uint64_t one_in = json_count(json_object_get(p->report, "model"), "weighed_one_in");
    put(p, "<p class=\"note\">The height is logarithmic. ");
    if (one_in > 1) {
        put(p, "Pairs above the lowest threshold are all counted; below it one in ");
        put_plain_count(p, one_in);
        put(p, " was weighed to the end, and stands for so many. ");
    }
    put(p, "Pairs that a rule matched are not weighed. A valley between two hills is where a "
           "threshold does least harm; a threshold on a slope is worth another look.</p>\n");
}

void section_weights(struct page *p)
{
    const json_t *model = json_object_get(p->report, "model");
    if (!model)
        return;
    struct histogram *h = kin_calloc(1, sizeof *h);
    if (!h) {
        p->out->failed = true;
        return;
    }
    read_bins(p, h);
    section_begin(p, "pair-weights", "Weights of pairs",
                  "How many of the compared pairs have such a weight, and so such a probability to "
                  "match. What is right of the threshold matches.");
    kin_buf_printf(p->out,
                   "<div class=\"scroll\"><svg class=\"chart\" id=\"histogram\" viewBox=\"0 0 %d "
                   "%d\" role=\"img\" aria-label=\"Histogram of the weights of pairs\">\n",
                   WIDTH, HEIGHT);
    grid(p, h);
    bars(p, h);
    marks(p, h);
    put(p, "</svg></div>\n<ul class=\"legend\"><li><svg aria-hidden=\"true\"><rect class=\"other\" "
           "width=\"11\" height=\"11\" rx=\"2\"/></svg>no match</li><li><svg "
           "aria-hidden=\"true\"><rect class=\"main\" width=\"11\" height=\"11\" "
           "rx=\"2\"/></svg>match</li></ul>\n");
    note(p);
    section_end(p);
    kin_free(h);
}

/* ---- thresholds ---- */

static double most_of(const json_t *list, const char *key)
{
    double most = 1;
    for (size_t i = 0; i < json_array_size(list); i++) {
        double n = (double)json_count(json_array_get(list, i), key);
        most = n > most ? n : most;
    }
    return most;
}

static void bar_and_count(struct page *p, const json_t *t, const char *key, const char *class,
                          double most)
{
    struct bar_part part = {class, 0, (double)json_count(t, key) / most};
    cell_bar(p, &part, 1);
    cell_count(p, json_count(t, key));
}

void section_thresholds(struct page *p)
{
    const json_t *list = json_object_get(json_object_get(p->report, "model"), "thresholds");
    size_t n = json_array_size(list);
    if (n == 0)
        return;
    double pairs = most_of(list, "pairs"), groups = most_of(list, "groups");
    section_begin(p, "thresholds", "Thresholds",
                  n > 1 ? "What each threshold of the workflow makes of the same pairs."
                        : "What the threshold makes. With several in the workflow, all are here "
                          "side by side.");
    put(p, "<div class=\"scroll\"><table id=\"threshold-table\"><thead><tr>");
    head_cell(p, "threshold", false);
    head_cell(p, "bits", true);
    head_cell(p, "", false);
    head_cell(p, "matched pairs", true);
    head_cell(p, "", false);
    head_cell(p, "MatchGroups", true);
    head_cell(p, "records in them", true);
    head_cell(p, "largest", true);
    put(p, "</tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < n && i < 32; i++) {
        const json_t *t = json_array_get(list, i);
        put(p, "<tr><th scope=\"row\">");
        put_text(p, json_words(t, "threshold"));
        if (n > 1 && json_is_true(json_object_get(t, "primary")))
            put(p, " <span class=\"tag\">gives the MatchIds</span>");
        put(p, "</th><td class=\"n\">");
        put_bits(p, json_measure(t, "weight"));
        put(p, "</td>");
        bar_and_count(p, t, "pairs", "main", pairs);
        bar_and_count(p, t, "groups", "other", groups);
        cell_count(p, json_count(t, "grouped"));
        cell_count(p, json_count(t, "largest"));
        put(p, "</tr>\n");
    }
    put(p, "</tbody></table></div>\n");
    section_end(p);
}
