// Parts of a model whose inner tensors are not kept: the backward pass computes them again.
//
// The part itself is Rust's. It is called with tensors that become its own, gives one that becomes ours, and
// gives none where it failed. On a GPU the backward pass calls it on a thread of libtorch's, while the thread
// that began the pass waits.

#include <ATen/Context.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/Tensor.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/engine.h>

#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <string>
#include <vector>

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

static thread_local std::string last_error;

extern "C" typedef at::Tensor* (*dfr_part_forward)(void* state, at::Tensor** inputs, size_t count);
extern "C" typedef void (*dfr_part_drop)(void* state);

// The draws and the kinds of numbers of one computation, which its repetition has again.
struct Surroundings {
  at::DeviceType device;
  bool is_autocast, is_cached;
  at::ScalarType kind;
  std::vector<at::Generator> generators;
  std::vector<at::Tensor> states;

  static Surroundings now(at::Device device) {
    Surroundings now{device.type(), at::autocast::is_autocast_enabled(device.type()),
                     at::autocast::is_autocast_cache_enabled(),
                     at::autocast::get_autocast_dtype(device.type()), {}, {}};
    now.generators.push_back(at::globalContext().defaultGenerator(at::kCPU));
    if (device.is_cuda()) now.generators.push_back(at::globalContext().defaultGenerator(device));
    for (auto& generator : now.generators) {
      std::lock_guard<std::mutex> lock(generator.mutex());
      now.states.push_back(generator.get_state());
    }
    return now;
  }

  void set() {
    at::autocast::set_autocast_enabled(device, is_autocast);
    at::autocast::set_autocast_cache_enabled(is_cached);
    at::autocast::set_autocast_dtype(device, kind);
    for (size_t i = 0; i < generators.size(); ++i) {
      std::lock_guard<std::mutex> lock(generators[i].mutex());
      generators[i].set_state(states[i]);
    }
  }
};

struct Part : torch::CustomClassHolder {
  void* state;
  dfr_part_forward forward;
  dfr_part_drop drop;
  Surroundings surroundings;

  Part(void* state, dfr_part_forward forward, dfr_part_drop drop, at::Device device)
      : state(state), forward(forward), drop(drop), surroundings(Surroundings::now(device)) {}
  ~Part() override { drop(state); }

  at::Tensor compute(at::TensorList inputs) const {
    // A copy of a weight that was cast without a gradient must not be found by what needs one.
    bool is_cached = at::autocast::is_autocast_cache_enabled();
    at::autocast::set_autocast_cache_enabled(false);
    std::vector<at::Tensor*> given;
    for (const auto& input : inputs) given.push_back(new at::Tensor(input));
    at::Tensor* output = forward(state, given.data(), given.size());
    at::autocast::set_autocast_cache_enabled(is_cached);
    TORCH_CHECK(output, "a part of the model failed: ", last_error);
    at::Tensor computed = *output;
    delete output;
    return computed;
  }

  // With a gradient, and with what surrounded the first time; after it all is as before.
  at::Tensor repeat(at::TensorList inputs) {
    struct Back {
      Surroundings before;
      ~Back() { before.set(); }
    } back{Surroundings::now(inputs[0].device())};
    at::AutoGradMode with_gradients(true);
    surroundings.set();
    return compute(inputs);
  }
};

static std::atomic<uint64_t> repetitions{0};

struct Recomputed : torch::autograd::Function<Recomputed> {
  static at::Tensor forward(AutogradContext* context, at::TensorList inputs, c10::intrusive_ptr<Part> part) {
    context->save_for_backward(inputs.vec());
    context->saved_data["part"] = c10::IValue::make_capsule(part);
    std::vector<int64_t> versions;
    for (const auto& input : inputs) versions.push_back(input._version());
    auto output = part->compute(inputs);
    for (size_t i = 0; i < inputs.size(); ++i)
      TORCH_CHECK(inputs[i]._version() == versions[i], "a part that is computed again changed an input in place");
    return output;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    TORCH_CHECK(torch::autograd::Engine::get_default_engine().is_checkpoint_valid(),
                "what is computed again gives its gradients to all weights, not to some that are named");
    auto part = c10::static_intrusive_pointer_cast<Part>(context->saved_data["part"].toCapsule());
    variable_list inputs;
    for (const auto& saved : context->get_saved_variables())
      inputs.push_back(saved.detach().set_requires_grad(saved.requires_grad()));
    auto output = part->repeat(inputs);
    repetitions += 1;
    // Into the weights, and into the inputs.
    torch::autograd::backward({output}, {gradients[0].to(output.scalar_type())});
    variable_list given;
    for (const auto& input : inputs) given.push_back(input.grad());
    given.emplace_back();
    return given;
  }
};

extern "C" {

const char* dfr_recompute_error() { return last_error.c_str(); }

// Why the part that is being called gives nothing.
void dfr_part_failed(const char* reason, size_t length) { last_error.assign(reason, length); }

uint64_t dfr_repetitions() { return repetitions; }

int dfr_recomputed(at::Tensor* const* inputs, size_t count, void* state, dfr_part_forward forward,
                   dfr_part_drop drop, at::Tensor** output) {
  c10::intrusive_ptr<Part> part;
  try {
    part = c10::make_intrusive<Part>(state, forward, drop, inputs[0]->device());
    variable_list list;
    for (size_t i = 0; i < count; ++i) list.push_back(*inputs[i]);
    *output = new at::Tensor(Recomputed::apply(at::TensorList(list), part));
    return 0;
  } catch (const std::exception& error) {
    last_error = error.what();
    if (!part) drop(state);
    return -1;
  }
}
}
