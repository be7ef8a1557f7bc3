# The Makefile includes this file where the project has manifests.

KUBERNETES_VERSIONS := 1.35 1.36 1.37
KUSTOMIZE := $(shell command -v kustomize >/dev/null && echo kustomize build || { command -v kubectl >/dev/null && echo kubectl kustomize; })

check: kubernetes-check

.PHONY: kubernetes-check
kubernetes-check: BASE := $(filter-out %/kustomization.yaml,$(wildcard kubernetes/base/*.yaml))
kubernetes-check: $(UV) ## Validate the manifests for several versions of Kubernetes, without a cluster
ifdef KUSTOMIZE
	@rm -rf .local/kubernetes && mkdir -p .local/kubernetes
	@for overlay in kubernetes/overlays/*; do $(KUSTOMIZE) $$overlay > .local/kubernetes/$${overlay##*/}.yaml || exit 1; done
endif
	@# It only warns about a kind that it does not know, so any output is an error.
	@! $(RUN) kubernetes-validate --strict --quiet $(KUBERNETES_VERSIONS:%=--kubernetes-version %) \
	  $(if $(KUSTOMIZE),.local/kubernetes/*.yaml,$(BASE)) 2>&1 | grep .
	@echo "The manifests are valid for Kubernetes $(KUBERNETES_VERSIONS)$(if $(KUSTOMIZE),,; the overlays need kubectl or kustomize to be looked at)."
