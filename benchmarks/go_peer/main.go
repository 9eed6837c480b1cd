// The peer of the exposition's benchmark: an exporter on client_golang that makes the same series anew for every scrape.
//
// It reads one environment's samples from a file, and shows them for as many environments as it is told to.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"math"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// An exemplar of a histogram's bucket.
type exemplar struct {
	Labels    map[string]string
	Value     float64
	Timestamp float64
}

// A sample of one environment, or a histogram.
type sample struct {
	Name      string
	Help      string
	Type      string
	Labels    []string // names, after environment_id and environment
	Values    []string // their values
	Value     float64
	Buckets   map[string]uint64
	Count     uint64
	Sum       float64
	Exemplars []exemplar
}

type metric struct {
	sample
	description *prometheus.Desc
	kind        prometheus.ValueType
	buckets     map[float64]uint64
}

type collector struct {
	metrics      []metric
	environments int
}

// Describe sends nothing: the metrics are checked when they are collected.
func (c collector) Describe(chan<- *prometheus.Desc) {}

// Collect makes every metric of every environment.
func (c collector) Collect(out chan<- prometheus.Metric) {
	for number := range c.environments {
		id, name := fmt.Sprintf("env_%032d", number), fmt.Sprintf("pool-%d", number)
		for _, each := range c.metrics {
			values := append([]string{id, name}, each.Values...)
			if each.Type != "histogram" {
				out <- prometheus.MustNewConstMetric(each.description, each.kind, each.Value, values...)
				continue
			}
			made := prometheus.MustNewConstHistogram(each.description, each.Count, each.Sum, each.buckets, values...)
			if len(each.Exemplars) > 0 {
				exemplars := make([]prometheus.Exemplar, 0, len(each.Exemplars))
				for _, one := range each.Exemplars {
					at := time.UnixMicro(int64(one.Timestamp * 1e6))
					exemplars = append(exemplars, prometheus.Exemplar{Labels: one.Labels, Value: one.Value, Timestamp: at})
				}
				made = prometheus.MustNewMetricWithExemplars(made, exemplars...)
			}
			out <- made
		}
	}
}

func read(path string) []metric {
	content, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	var samples []sample
	if err := json.Unmarshal(content, &samples); err != nil {
		log.Fatal(err)
	}
	metrics := make([]metric, 0, len(samples))
	for _, each := range samples {
		labels := append([]string{"environment_id", "environment"}, each.Labels...)
		made := metric{
			sample:      each,
			description: prometheus.NewDesc(each.Name, each.Help, labels, nil),
			kind:        prometheus.GaugeValue,
			buckets:     map[float64]uint64{},
		}
		if each.Type == "counter" {
			made.kind = prometheus.CounterValue
		}
		for bound, count := range each.Buckets {
			limit, err := strconv.ParseFloat(bound, 64)
			if err != nil {
				log.Fatal(err)
			}
			if !math.IsInf(limit, 1) {
				made.buckets[limit] = count
			}
		}
		metrics = append(metrics, made)
	}
	return metrics
}

func main() {
	environments, err := strconv.Atoi(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collector{read(os.Args[1]), environments},
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	http.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(listener.Addr().String())
	log.Fatal(http.Serve(listener, nil))
}
