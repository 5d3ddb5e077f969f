/* A stand-in for libnvidia-ml.so.1: the symbols that the daemon's binding calls, answered from the
 * file STATE, which is read anew for every call. Every call is noted in CALLS. One line each:
 *   init CODE                                     what nvmlInit answers
 *   gpu UUID HANDLE VITALS TOTAL USED RECOVERY ECC   codes, MiB, MiB, action, count
 *   compute|graphics GPU PID MIB                  a process
 *   hang SYMBOL                                   does not come back while the line stands
 * A number of -1 is what the device does not tell. */

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SUCCESS = 0, INVALID = 2, NOT_SUPPORTED = 3, TOO_SMALL = 7, MOST = 8 };
enum { RECOVERY_ACTION = 230, UNSIGNED_INT = 1 };

typedef struct { char uuid[96]; int handle, vitals, recovery; long long total, used, ecc; } gpu;
typedef struct { int gpu, draws, pid; long long mib; } process;
typedef struct { int init, gpus, processes; char hangs[96]; gpu gpu[MOST]; process process[MOST]; } state;

typedef struct { unsigned version; unsigned long long total, reserved, free, used; } memory;
typedef struct { unsigned pid; unsigned long long used; unsigned gpu_instance, compute_instance; } occupant;
typedef struct {
    unsigned field, scope;
    long long timestamp, latency;
    unsigned type, status;
    union { unsigned number; unsigned long long widest; } value;
} field_value;

static state read_state(void) {
    state now = {0};
    char line[256], kind[16];
    FILE *file = fopen(STATE, "r");
    while (file && fgets(line, sizeof line, file)) {
        gpu *g = &now.gpu[now.gpus];
        process *p = &now.process[now.processes];
        if (sscanf(line, "init %d", &now.init) == 1 || sscanf(line, "hang %95s", now.hangs) == 1)
            continue;
        if (now.gpus < MOST && sscanf(line, "gpu %95s %d %d %lld %lld %d %lld", g->uuid, &g->handle,
                                      &g->vitals, &g->total, &g->used, &g->recovery, &g->ecc) == 7)
            now.gpus++;
        else if (now.processes < MOST
                 && sscanf(line, "%15s %d %d %lld", kind, &p->gpu, &p->pid, &p->mib) == 4) {
            p->draws = strcmp(kind, "graphics") == 0;
            now.processes++;
        }
    }
    if (file)
        fclose(file);
    return now;
}

static state called(const char *symbol) {
    FILE *calls = fopen(CALLS, "a");
    if (calls) {
        fprintf(calls, "%s\n", symbol);
        fclose(calls);
    }
    state now = read_state();
    while (strcmp(now.hangs, symbol) == 0) {
        usleep(2000);
        now = read_state();
    }
    return now;
}

static const gpu *of(const state *now, void *device) { return &now->gpu[(intptr_t)device - 1]; }

static int text(char *to, unsigned length, const char *from) {
    snprintf(to, length, "%s", from);
    return SUCCESS;
}

int nvmlInit_v2(void) { return called(__func__).init; }
int nvmlShutdown(void) { return called(__func__), SUCCESS; }
int nvmlSystemGetDriverVersion(char *to, unsigned length) {
    return called(__func__), text(to, length, "580.95.05");
}
int nvmlDeviceGetCount_v2(unsigned *count) { return *count = called(__func__).gpus, SUCCESS; }

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) {
    state now = called(__func__);
    *device = (void *)(intptr_t)(index + 1);
    return index < (unsigned)now.gpus ? now.gpu[index].handle : INVALID;
}

int nvmlDeviceGetUUID(void *device, char *to, unsigned length) {
    state now = called(__func__);
    return text(to, length, of(&now, device)->uuid);
}

int nvmlDeviceGetName(void *device, char *to, unsigned length) {
    (void)device;
    return called(__func__), text(to, length, "NVIDIA Fake");
}

int nvmlDeviceGetMemoryInfo_v2(void *device, memory *to) {
    state now = called(__func__);
    const gpu *g = of(&now, device);
    if (to->version != (sizeof *to | 2u << 24))
        return INVALID;
    to->total = (unsigned long long)g->total << 20;
    to->used = (unsigned long long)g->used << 20;
    to->free = to->total - to->used;
    return g->vitals;
}

static int processes(const state *now, void *device, int draws, unsigned *count, occupant *to) {
    unsigned room = *count, found = 0;
    for (int i = 0; i < now->processes; i++) {
        const process *p = &now->process[i];
        if (p->gpu != (intptr_t)device - 1 || p->draws != draws)
            continue;
        if (found < room)
            to[found] = (occupant){p->pid, p->mib < 0 ? ~0ULL : (unsigned long long)p->mib << 20, ~0u, ~0u};
        found++;
    }
    *count = found;
    return of(now, device)->vitals ? of(now, device)->vitals : found > room ? TOO_SMALL : SUCCESS;
}

int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned *count, occupant *to) {
    state now = called(__func__);
    return processes(&now, device, 0, count, to);
}

int nvmlDeviceGetGraphicsRunningProcesses_v3(void *device, unsigned *count, occupant *to) {
    state now = called(__func__);
    return processes(&now, device, 1, count, to);
}

int nvmlDeviceGetTotalEccErrors(void *device, unsigned error, unsigned counter, unsigned long long *to) {
    state now = called(__func__);
    const gpu *g = of(&now, device);
    *to = g->ecc;
    return error != 1 || counter != 0 ? INVALID : g->ecc < 0 ? NOT_SUPPORTED : g->vitals;
}

int nvmlDeviceGetFieldValues(void *device, int count, field_value *to) {
    state now = called(__func__);
    const gpu *g = of(&now, device);
    for (int i = 0; i < count; i++) {
        to[i].type = UNSIGNED_INT;
        to[i].status = to[i].field == RECOVERY_ACTION && g->recovery >= 0 ? SUCCESS : NOT_SUPPORTED;
        to[i].value.number = g->recovery;
    }
    return g->vitals;
}
