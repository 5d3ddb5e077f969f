// What tch does not bind: autocast to a kind, the fused AdamW kernel, gradients in one pass, memory formats,
// peak device memory, locked host memory, the state of random generators.
//
// Every function returns 0, or -1 with its reason in dfr_last_error (per thread): no C++ exception
// crosses into Rust. Tensors are borrowed; the one that is created is the caller's.

#include <ATen/Context.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/Tensor.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <ATen/ops/_amp_foreach_non_finite_check_and_unscale.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/full.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/GradMode.h>
#include <c10/util/Exception.h>

#include <cstdint>
#include <exception>
#include <mutex>
#include <string>
#include <vector>

static thread_local std::string last_error;

template <typename Body>
static int guarded(Body body) {
  try {
    body();
    return 0;
  } catch (const std::exception& error) {
    last_error = error.what();
    return -1;
  }
}

static std::vector<at::Tensor> copy_list(at::Tensor* const* tensors, size_t count) {
  std::vector<at::Tensor> list;
  list.reserve(count);
  for (size_t i = 0; i < count; ++i) list.push_back(*tensors[i]);
  return list;
}

// The kernel trusts that its lists fit together and walks raw memory: this is checked here.
static void require_alike(const at::Tensor& parameter, const at::Tensor& other) {
  TORCH_CHECK(other.sizes() == parameter.sizes(), "a state of shape ", other.sizes(),
              " belongs to a weight of shape ", parameter.sizes());
  TORCH_CHECK(other.scalar_type() == parameter.scalar_type() && other.device() == parameter.device(),
              "a weight and its state differ in kind or device");
  TORCH_CHECK(other.is_non_overlapping_and_dense() && other.strides() == parameter.strides(),
              "a weight and its state lie differently in memory");
}

// That of the CPU where the index is negative.
static at::Generator generator_of(int cuda_index) {
  auto device = cuda_index < 0 ? at::Device(at::kCPU) : at::Device(at::kCUDA, cuda_index);
  return at::globalContext().defaultGenerator(device);
}

extern "C" {

const char* dfr_last_error() { return last_error.c_str(); }

int dfr_autocast_begin(int is_cuda, int is_bfloat16) {
  return guarded([&] {
    auto device = is_cuda ? at::kCUDA : at::kCPU;
    at::autocast::set_autocast_dtype(device, is_bfloat16 ? at::kBFloat16 : at::kHalf);
    at::autocast::set_autocast_enabled(device, true);
    at::autocast::increment_nesting();
  });
}

int dfr_autocast_end(int is_cuda) {
  return guarded([&] {
    // The cast copies of the weights are cached; they are stale after the optimiser's step.
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(is_cuda ? at::kCUDA : at::kCPU, false);
  });
}

// Of the current device: whether its units compute in bfloat16 (compute capability 8 and up).
int dfr_computes_bfloat16() { return at::detail::getCUDAHooks().supportsBFloat16ConvolutionWithCuDNNv8(); }

int dfr_clip_gradients(at::Tensor* const* gradients, size_t count, double max_norm) {
  return guarded([&] {
    c10::NoGradGuard no_grad;
    auto list = copy_list(gradients, count);
    auto norm = at::stack(at::_foreach_norm(list)).norm();
    at::_foreach_mul_(list, (max_norm / (norm + 1e-6)).clamp_max(1));
  });
}

int dfr_unscale_gradients(at::Tensor* const* gradients, size_t count, double scale, int* is_finite) {
  return guarded([&] {
    c10::NoGradGuard no_grad;
    auto list = copy_list(gradients, count);
    auto options = list[0].options().dtype(at::kFloat);
    auto found = at::zeros({1}, options), inverse = at::full({1}, 1 / scale, options);
    at::_amp_foreach_non_finite_check_and_unscale_(list, found, inverse);
    *is_finite = found.item<float>() == 0;
  });
}

struct dfr_adamw {
  double learning_rate, beta1, beta2, weight_decay, epsilon;
};

int dfr_fused_adamw(at::Tensor* const* parameters, at::Tensor* const* gradients,
                    at::Tensor* const* first_moments, at::Tensor* const* second_moments,
                    at::Tensor* const* steps, size_t count, const dfr_adamw* rule) {
  return guarded([&] {
    c10::NoGradGuard no_grad;
    auto parameter_list = copy_list(parameters, count), gradient_list = copy_list(gradients, count);
    auto first_list = copy_list(first_moments, count), second_list = copy_list(second_moments, count);
    auto step_list = copy_list(steps, count);
    for (size_t i = 0; i < count; ++i) {
      // Walked in memory's order: a gradient has to lie as its weight does.
      if (gradient_list[i].sizes() == parameter_list[i].sizes() &&
          gradient_list[i].strides() != parameter_list[i].strides())
        gradient_list[i] = at::empty_like(parameter_list[i]).copy_(gradient_list[i]);
      for (const auto* list : {&parameter_list, &gradient_list, &first_list, &second_list})
        require_alike(parameter_list[i], (*list)[i]);
    }
    for (auto& step : step_list) step.add_(1);
    at::_fused_adamw_(parameter_list, gradient_list, first_list, second_list,
                      /*max_exp_avg_sqs=*/{}, step_list, rule->learning_rate, rule->beta1,
                      rule->beta2, rule->weight_decay, rule->epsilon,
                      /*amsgrad=*/false, /*maximize=*/false);
  });
}

int dfr_channels_last(const at::Tensor* tensor, at::Tensor** converted) {
  return guarded([&] {
    auto format = tensor->dim() == 5 ? at::MemoryFormat::ChannelsLast3d : at::MemoryFormat::ChannelsLast;
    *converted = new at::Tensor(tensor->contiguous(format));
  });
}

int dfr_locked_like(const at::Tensor* tensor, at::Tensor** locked) {
  return guarded([&] {
    auto options = tensor->options().pinned_memory(true);
    *locked = new at::Tensor(at::empty_like(*tensor, options));
  });
}

int dfr_cuda_peak_bytes(int index, int64_t* bytes) {
  return guarded([&] {
    *bytes = at::getDeviceAllocator(at::kCUDA)->getDeviceStats(index).allocated_bytes[0].peak;
  });
}

int dfr_cuda_reset_peak(int index) {
  return guarded([&] { at::getDeviceAllocator(at::kCUDA)->resetPeakStats(index); });
}

int dfr_generator_state(int cuda_index, at::Tensor** state) {
  return guarded([&] {
    auto generator = generator_of(cuda_index);
    std::lock_guard<std::mutex> lock(generator.mutex());
    *state = new at::Tensor(generator.get_state());
  });
}

int dfr_set_generator_state(int cuda_index, const at::Tensor* state) {
  return guarded([&] {
    auto generator = generator_of(cuda_index);
    std::lock_guard<std::mutex> lock(generator.mutex());
    generator.set_state(*state);
  });
}
}
