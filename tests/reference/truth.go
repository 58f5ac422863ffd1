// Prints what Go's trace tool computes about a trace as one JSON object. `go build -overlay` adds this file to cmd/trace.
// GOTRACE_TRUTH lists the parts: summary, profiles, util, mmu. Times are in nanoseconds.
package main

import (
	"encoding/json"
	"fmt"
	"internal/trace"
	"internal/trace/traceviewer"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
)

type object = map[string]any

func init() {
	parts := os.Getenv("GOTRACE_TRUTH")
	if parts == "" {
		return
	}
	file, err := os.Open(os.Args[1])
	check(err)
	info, err := file.Stat()
	check(err)
	parsed, err := parseTrace(file, info.Size())
	check(err)
	truth := object{"start": parsed.startTime(), "end": parsed.endTime(), "events": len(parsed.events), "error": parsed.err != nil}
	for part := range strings.SplitSeq(parts, ",") {
		switch part {
		case "summary":
			truth["goroutines"] = goroutines(parsed)
			truth["tasks"], truth["task_latency"], truth["region_latency"] = tasks(parsed), taskLatency(parsed), regionLatency(parsed)
		case "profiles":
			truth["profiles"] = profiles(parsed)
		case "util", "mmu":
			truth[part] = utilization(parsed, part == "mmu")
		default:
			panic("no part " + part)
		}
	}
	check(json.NewEncoder(os.Stdout).Encode(truth))
	os.Exit(0)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func when(ev *trace.Event) any {
	if ev == nil {
		return nil
	}
	return ev.Time()
}

func stats(s trace.GoroutineExecStats) object {
	return object{
		"exec": s.ExecTime, "sched": s.SchedWaitTime, "block": s.BlockTimeByReason, "syscall": s.SyscallTime,
		"syscall_block": s.SyscallBlockTime, "total": s.TotalTime, "unknown": s.UnknownTime(), "ranges": s.RangeTime,
	}
}

func goroutines(parsed *parsedTrace) []object {
	all := []object{}
	for _, id := range slices.Sorted(maps.Keys(parsed.summary.Goroutines)) {
		g := parsed.summary.Goroutines[id]
		regions := []object{}
		for _, r := range g.Regions {
			regions = append(regions, object{
				"name": r.Name, "task": r.TaskID, "start": when(r.Start), "end": when(r.End),
				"ended":     r.End != nil && r.End.Kind() == trace.EventRegionEnd,
				"inherited": r.Start != nil && r.Start.Kind() == trace.EventStateTransition, "stats": stats(r.GoroutineExecStats),
			})
		}
		all = append(all, object{
			"g": id, "name": g.Name, "created": g.CreationTime, "started": g.StartTime, "ended": g.EndTime,
			"stats": stats(g.GoroutineExecStats), "regions": regions,
		})
	}
	return all
}

func tasks(parsed *parsedTrace) []object {
	all := []object{}
	for _, id := range slices.Sorted(maps.Keys(parsed.summary.Tasks)) {
		t := parsed.summary.Tasks[id]
		var parent any
		if t.Parent != nil {
			parent = t.Parent.ID
		}
		all = append(all, object{
			"task": id, "name": t.Name, "parent": parent, "start": when(t.Start), "end": when(t.End),
			"goroutines": slices.Sorted(maps.Keys(t.Goroutines)), "logs": len(t.Logs), "regions": len(t.Regions),
		})
	}
	return all
}

func histogram(h traceviewer.TimeHistogram) [][2]int {
	buckets := [][2]int{}
	for bucket, n := range h.Buckets {
		if n != 0 {
			buckets = append(buckets, [2]int{bucket, n})
		}
	}
	return buckets
}

func taskLatency(parsed *parsedTrace) map[string]object {
	byName := map[string]*taskStats{}
	for _, t := range parsed.summary.Tasks {
		if byName[t.Name] == nil {
			byName[t.Name] = new(taskStats)
		}
		byName[t.Name].add(t)
	}
	all := map[string]object{}
	for name, s := range byName {
		all[name] = object{"count": s.Count, "buckets": histogram(s.Histogram)}
	}
	return all
}

func regionLatency(parsed *parsedTrace) []object {
	byPlace := map[regionFingerprint]*regionStats{}
	for _, g := range parsed.summary.Goroutines {
		for _, r := range g.Regions {
			id := fingerprintRegion(r)
			if byPlace[id] == nil {
				byPlace[id] = new(regionStats)
			}
			byPlace[id].add(parsed, r)
		}
	}
	all := []object{}
	for id, s := range byPlace {
		all = append(all, object{"name": id.Type, "pc": id.Frame.PC, "count": s.Histogram.Count, "buckets": histogram(s.Histogram)})
	}
	return all
}

func profiles(parsed *parsedTrace) []object {
	goroutines, regions := map[string]bool{"": true}, map[string]bool{}
	for _, g := range parsed.summary.Goroutines {
		goroutines[g.Name] = true
		for _, r := range g.Regions {
			regions[r.Name] = true
		}
	}
	all := []object{}
	for kind, compute := range map[string]computePprofFunc{
		"net": computePprofIO(), "sync": computePprofBlock(), "syscall": computePprofSyscall(), "sched": computePprofSched(),
	} {
		add := func(by, key, name string, profile traceviewer.ProfileFunc) {
			found, err := profile(&http.Request{Form: url.Values{key: {name}}})
			check(err)
			records := []object{}
			for _, r := range found {
				frames := [][4]any{}
				for _, f := range r.Stack {
					frames = append(frames, [4]any{f.Func, f.File, f.Line, f.PC})
				}
				records = append(records, object{"stack": frames, "count": r.Count, "time": r.Time})
			}
			all = append(all, object{"kind": kind, "by": by, "name": name, "records": records})
		}
		for name := range goroutines {
			add("goroutine", "name", name, pprofByGoroutine(compute, parsed))
		}
		for name := range regions {
			add("region", "type", name, pprofByRegion(compute, parsed))
		}
	}
	return all
}

func utilization(parsed *parsedTrace, curves bool) []object {
	names := []string{"stw", "background", "assist", "sweep"}
	bits := []trace.UtilFlags{trace.UtilSTW, trace.UtilBackground, trace.UtilAssist, trace.UtilSweep}
	all := []object{}
	for set := 1; set < 16; set++ {
		for _, perProc := range []bool{false, true} {
			var flags trace.UtilFlags
			include := []string{}
			for i, bit := range bits {
				if set>>i&1 != 0 {
					flags |= bit
					include = append(include, names[i])
				}
			}
			if perProc {
				flags |= trace.UtilPerProc
			}
			one := object{"include": include, "per_goroutine": perProc}
			series, crash := mutatorUtilization(parsed, flags)
			if crash != nil {
				one["crash"] = fmt.Sprint(crash)
			} else if curves {
				one["windows"] = windows(series)
			} else {
				points := [][][2]float64{}
				for _, s := range series {
					one := [][2]float64{}
					for _, u := range s {
						one = append(one, [2]float64{float64(u.Time), u.Util})
					}
					points = append(points, one)
				}
				one["series"] = points
			}
			all = append(all, one)
		}
	}
	return all
}

func mutatorUtilization(parsed *parsedTrace, flags trace.UtilFlags) (series [][]trace.MutatorUtil, crash any) {
	defer func() { crash = recover() }()
	return trace.MutatorUtilizationV2(parsed.events, flags), nil
}

func windows(series [][]trace.MutatorUtil) []object {
	curve := trace.NewMMUCurve(series)
	quantiles := []float64{0, .001, .01, .05, .5}
	all := []object{}
	for _, window := range []time.Duration{time.Microsecond, 20 * time.Microsecond, 300 * time.Microsecond, time.Millisecond, 10 * time.Millisecond, 200 * time.Millisecond, 5 * time.Second} {
		worst := [][2]float64{}
		for _, w := range curve.Examples(window, 5) {
			worst = append(worst, [2]float64{float64(w.Time), w.MutatorUtil})
		}
		all = append(all, object{"window": window, "mmu": curve.MMU(window), "mud": curve.MUD(window, quantiles), "worst": worst})
	}
	return all
}
