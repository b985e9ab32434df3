#ifndef KIN_WORKFLOW_WORKFLOW_H
#define KIN_WORKFLOW_WORKFLOW_H
/* The workflow file: YAML to a checked, immutable description of the job. docs/workflow.md is its
 * reference. Every mistake is reported, not just the first. Any thread; immutable once parsed. */
#include "common/match/compare.h"
#include "common/match/rule.h"
#include "common/record/reader.h"
#include "common/record/schema.h"

struct kin_workflow_source {
    const char *name;
    const char *const *paths; /* patterns, relative ones already joined to base_dir */
    size_t path_count;
    bool format_given;
    enum kin_format format; /* where format_given; else by each file's name */
    char delimiter;         /* 0: found from the header */
    const char *id;         /* column */
    const char *updated;    /* column, or NULL */
    /* columns[f]: the columns that fill field f, in order; none: the field stays null here */
    const struct kin_workflow_columns {
        const char *const *names;
        size_t count;
    } * columns;
};

enum kin_golden {
    KIN_GOLDEN_MOST_COMPLETE, /* from the record with most fields filled */
    KIN_GOLDEN_MOST_FREQUENT, /* the commonest normalised value, in its commonest spelling */
    KIN_GOLDEN_MOST_RECENT,   /* largest `updated` */
    KIN_GOLDEN_LONGEST,
    KIN_GOLDEN_SHORTEST,
    KIN_GOLDEN_FIRST, /* smallest (source, id) */
    KIN_GOLDEN_MIN,   /* numbers and dates by value, texts by bytes */
    KIN_GOLDEN_MAX,
    KIN_GOLDEN_ALL /* every distinct value, joined with "; " */
};

enum { KIN_MEMORY_AUTO = -1 };

struct kin_limits {
    uint32_t max_block;        /* 5000: a larger block is refined, then windowed */
    uint32_t window;           /* 50: neighbours compared in a windowed block */
    uint32_t max_group;        /* 500: a larger group is flagged */
    uint32_t max_keys;         /* 64 a record */
    uint32_t max_field_bytes;  /* 65,536 */
    uint32_t max_record_bytes; /* 1 MiB */
    uint32_t memory; /* MiB; KIN_MEMORY_AUTO. What an embedded job may keep in memory instead of in
                        a state on the disk */
    uint32_t max_veto_group; /* 5000: in a larger component vetoes are not checked, and reported */
};

/* From which weight on records are one. */
struct kin_threshold {
    int32_t weight;     /* in the model's fixed point */
    double probability; /* that it stands for, or as it was given */
    const char *text;   /* "0.95", "weight 12": the same for all spellings */
};
enum { KIN_THRESHOLDS_MAX = 16 };

struct kin_workflow_model {
    struct kin_comparison *comparisons;
    size_t comparison_count;                             /* 1..KIN_COMPARISONS_MAX */
    struct kin_threshold thresholds[KIN_THRESHOLDS_MAX]; /* by weight, descending */
    size_t threshold_count;                              /* at least 1 */
    size_t primary;                                      /* the one that owns the MatchIds */

    const char *file; /* of the model, joined to base_dir; NULL: it is trained */
    /* training: */
    uint8_t passes[KIN_MODEL_PASSES_MAX]; /* numbers of blocking keys, in the order of block_on */
    size_t pass_count;
    uint32_t random_pairs; /* that u is taken from, about; 0: by the number of records */
    uint32_t pass_pairs;   /* of each pass that are looked at, about */
};

enum kin_cluster_method { KIN_CLUSTER_CONNECTED, KIN_CLUSTER_LINKAGE };

struct kin_workflow {
    struct kin_arena arena;
    const char *name;
    const char *base_dir;
    const char *text; /* the file as read: workers compile the same text */
    size_t text_bytes;
    uint64_t hash; /* of the text */

    struct kin_workflow_source *sources; /* sorted by name: the order of (source, id) */
    size_t source_count;
    struct kin_field *fields; /* in file order */
    struct kin_schema schema;

    struct kin_key_rule *keys; /* block_on or derived, then the stars; number == index */
    size_t key_count;
    size_t block_key_count; /* the first so many are no stars */
    uint16_t *refine;       /* fields that refine oversized keys, in order */
    size_t refine_count;

    struct kin_rule *rules; /* none where there is a model only */
    size_t rule_count;
    struct kin_rule *never;
    size_t never_count;

    struct kin_workflow_model *model; /* NULL: none */

    bool across_sources; /* pairs: across_sources */
    enum kin_cluster_method cluster;
    uint16_t *clean; /* sources without duplicates of their own, ascending */
    size_t clean_count;
    const char *const *link_files; /* patterns of files with links of people, joined to base_dir */
    size_t link_file_count;
    enum kin_golden *golden;        /* [field] */
    enum kin_golden golden_default; /* carried columns */
    struct kin_limits limits;
};

/* The source of that name; KIN_NO_SOURCE: there is none. */
#define KIN_NO_SOURCE UINT16_MAX
static inline uint16_t kin_workflow_source_named(const struct kin_workflow *w, struct kin_str name)
{
    for (size_t s = 0; s < w->source_count; s++) {
        if (kin_str_eq(name, kin_str_of(w->sources[s].name)))
            return (uint16_t)s;
    }
    return KIN_NO_SOURCE;
}

/* True if every component is looked into before it becomes MatchGroups. */
static inline bool kin_workflow_refines(const struct kin_workflow *w)
{
    return w->never_count || w->clean_count || w->cluster == KIN_CLUSTER_LINKAGE ||
           (w->model && w->model->threshold_count > 1);
}

/* True if some may be: those that a never link of a person runs through, too. */
static inline bool kin_workflow_clusters(const struct kin_workflow *w)
{
    return kin_workflow_refines(w) || w->link_file_count;
}

/* True if `kin_veto_cluster` does; else it takes kin_linkage_cluster. */
static inline bool kin_workflow_only_vetoes(const struct kin_workflow *w)
{
    return !w->model && !w->clean_count && !w->link_file_count;
}

/* One mistake. Line and column (in characters) from 1; line 0: the file as a whole. */
struct kin_problem {
    unsigned line, column;
    char key[96];   /* dotted: rules[1].when */
    char text[400]; /* what was found, what was expected, what is near */
};
enum { KIN_PROBLEMS_MAX = 200 };
struct kin_problems {
    struct kin_problem *items; /* owned; sorted by line and column */
    size_t count;              /* the first KIN_PROBLEMS_MAX are kept */
};
void kin_problems_deinit(struct kin_problems *p);
/* "people.yaml:12:5: rules[1].when: ..." with the source line and a caret under it, one after
 * another. path is the file's name as given, text what was parsed. Safe for a terminal. */
void kin_problems_print(const struct kin_problems *p, const char *path, struct kin_str text,
                        struct kin_buf *out);

/* Parses and checks text (at most 1 MiB). base_dir: what relative paths are joined to (borrowed, ""
 * for none). problems must be empty; deinit it in any case. KIN_E_WORKFLOW: problems is filled and
 * *out stays unset; KIN_E_NOMEM. */
kin_status kin_workflow_parse(struct kin_str text, const char *base_dir, struct kin_workflow **out,
                              struct kin_problems *problems) KIN_MUST_CHECK;
void kin_workflow_free(struct kin_workflow *w);

#endif
