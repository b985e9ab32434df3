#include "common/env/live/live_impl.h"

#include <stdio.h>

static size_t op_bytes(const struct kin_store_op *op)
{
    size_t bytes = 0;
    for (size_t i = 0; i < op->count; i++)
        bytes += op->puts[i].key.n + op->puts[i].value.n + KIN_LIVE_PUT_OVERHEAD;
    return bytes;
}

/* The last op of the first group of the list. */
static struct kin_store_op *group_end(struct kin_store_op *list)
{
    size_t bytes = op_bytes(list);
    while (list->impl_next && bytes < KIN_LIVE_GROUP_BYTES) {
        bytes += op_bytes(list->impl_next);
        if (bytes > KIN_LIVE_GROUP_BYTES)
            break;
        list = list->impl_next;
    }
    return list;
}

static void apply_list(struct kin_live_node *node, struct kin_store_op *list)
{
    while (list) {
        struct kin_store_op *last = group_end(list);
        struct kin_store_op *rest = last->impl_next;
        last->impl_next = NULL;
        node->store->ops->apply(node->store, list);
        kin_live_mail_ops(node->live, list, last);
        list = rest;
    }
}

/* While one group commits, the next one gathers in the queue. */
static void *store_main(void *arg)
{
    struct kin_live_node *node = arg;
    pthread_mutex_lock(&node->lock);
    for (;;) {
        while (!node->head && !node->closing)
            pthread_cond_wait(&node->wake, &node->lock);
        struct kin_store_op *list = node->head;
        if (!list)
            break;
        node->head = NULL;
        node->tail = NULL;
        pthread_mutex_unlock(&node->lock);
        apply_list(node, list);
        pthread_mutex_lock(&node->lock);
    }
    pthread_mutex_unlock(&node->lock);
    return NULL;
}

kin_status kin_live_store_start(struct kin_live_node *node, struct kin_err *err)
{
    char name[16];
    snprintf(name, sizeof name, "kin-store-%u", node->env.self);
    kin_status st = kin_live_thread(&node->thread, name, store_main, node, err);
    node->thread_started = st == KIN_OK;
    return st;
}

void kin_live_store_push(struct kin_live_node *node, struct kin_store_op *op)
{
    op->impl_next = NULL;
    pthread_mutex_lock(&node->lock);
    bool was_empty = !node->head;
    if (node->tail)
        node->tail->impl_next = op;
    else
        node->head = op;
    node->tail = op;
    pthread_mutex_unlock(&node->lock);
    if (was_empty)
        pthread_cond_signal(&node->wake);
}

void kin_live_store_join(struct kin_live_node *node)
{
    if (!node->thread_started)
        return;
    pthread_mutex_lock(&node->lock);
    node->closing = true;
    pthread_mutex_unlock(&node->lock);
    pthread_cond_signal(&node->wake);
    pthread_join(node->thread, NULL);
    node->thread_started = false;
}
