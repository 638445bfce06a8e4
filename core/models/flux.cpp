#include "core/models/flux.h"

#include <array>
#include <numeric>

#include "core/base/error.h"
#include "core/models/graph_builder.h"

namespace svdlab {
namespace {

constexpr double kEps = 1e-6;
constexpr int64_t kTimeChannels = 256;
constexpr int64_t kMlpRatio = 4;

/// Builds one model; the methods follow diffusers' modules, and node ids are their names.
class FluxBuilder {
 public:
  FluxBuilder(const FluxConfig& config, const TensorSource& source)
      : config_(config), hidden_(config.hidden()), b_("flux", source) {}

  Graph build() {
    const int latents = b_.input("hidden_states");
    const int text = b_.input("encoder_hidden_states");
    const int pooled = b_.input("pooled_projections");
    const int timestep = b_.input("timestep");
    const int guidance = config_.guidance_embeds ? b_.input("guidance") : -1;
    const int img_ids = b_.input("img_ids");
    const int txt_ids = b_.input("txt_ids");
    table_ = b_.node("pos_embed", Op::kRopeTable, {txt_ids, img_ids}, rope_attributes());
    conditioning(timestep, guidance, pooled);
    image_ = b_.linear("x_embedder", latents, config_.in_channels, hidden_, {.role = Role::kEmbed});
    text_ = b_.linear("context_embedder", text, config_.joint_attention_dim, hidden_, {.role = Role::kEmbed});
    for (int64_t i = 0; i < config_.num_layers; ++i) double_block("transformer_blocks." + std::to_string(i));
    const int text_like = text_;
    int x = b_.node("joint_tokens", Op::kConcat, {text_, image_}, {{"axis", 1}});
    for (int64_t i = 0; i < config_.num_single_layers; ++i)
      x = single_block("single_transformer_blocks." + std::to_string(i), x);
    x = b_.node("image_tokens", Op::kTokensLike, {x, text_like}, {{"rest", 1}});
    if (!adaln_.empty()) b_.group({adaln_.begin(), adaln_.end()});
    return b_.finish(final_layer(x));
  }

 private:
  std::map<std::string, double> rope_attributes() const {
    std::map<std::string, double> a{{"theta", 10000.0},
                                    {"axes", static_cast<double>(config_.axes_dims_rope.size())}};
    for (size_t i = 0; i < config_.axes_dims_rope.size(); ++i)
      a["dim" + std::to_string(i)] = static_cast<double>(config_.axes_dims_rope[i]);
    return a;
  }

  int two_layer_mlp(const std::string& name, int x, int64_t in) {
    const GraphBuilder::LinearFacts facts{.role = Role::kTimeEmbed, .t_only = true};
    x = b_.linear(name + ".linear_1", x, in, hidden_, facts);
    x = b_.node(name + ".act", Op::kSilu, {x});
    return b_.linear(name + ".linear_2", x, hidden_, hidden_,
                     {.role = Role::kTimeEmbed, .t_only = true, .producer = Producer::kSilu});
  }

  void conditioning(int timestep, int guidance, int pooled) {
    const std::string base = "time_text_embed.";
    const std::map<std::string, double> attributes{{"dim", kTimeChannels}, {"scale", 1000}};
    const int t = b_.node(base + "time_proj", Op::kTimestepEmbedding, {timestep}, attributes);
    int sum = two_layer_mlp(base + "timestep_embedder", t, kTimeChannels);
    if (guidance >= 0) {
      const int g = b_.node(base + "guidance_proj", Op::kTimestepEmbedding, {guidance}, attributes);
      sum = b_.node(base + "time_guidance", Op::kAdd,
                    {sum, two_layer_mlp(base + "guidance_embedder", g, kTimeChannels)});
    }
    const int p = two_layer_mlp(base + "text_embedder", pooled, config_.pooled_projection_dim);
    sum = b_.node("time_text_embed", Op::kAdd, {sum, p});
    silu_ = b_.node("time_text_embed.silu", Op::kSilu, {sum});
  }

  /// The modulation linear of one norm, cut into `parts` vectors [B, hidden].
  std::vector<int> modulation(const std::string& norm, const std::string& block, int parts) {
    const int all =
        b_.linear(norm + ".linear", silu_, hidden_, parts * hidden_,
                  {.role = Role::kAdaLn, .block = block, .t_only = true, .producer = Producer::kSilu});
    adaln_.push_back({norm + ".linear"});
    std::vector<int> out;
    for (int p = 0; p < parts; ++p)
      out.push_back(b_.node(
          norm + ".chunk." + std::to_string(p), Op::kSlice, {all},
          {{"begin", static_cast<double>(p * hidden_)}, {"end", static_cast<double>((p + 1) * hidden_)}}));
    return out;
  }

  int norm_modulate(const std::string& id, int x, int scale, int shift) {
    const int n = b_.node(id + ".norm", Op::kLayerNorm, {x}, {{"eps", kEps}});
    return b_.node(id + ".modulate", Op::kModulate, {n, scale, shift});
  }

  int heads(const std::string& id, int x) {
    return b_.node(id, Op::kHeads, {x}, {{"heads", static_cast<double>(config_.num_attention_heads)}});
  }

  /// q, k, v of one stream as [B, S, H, d], q and k normalised.
  std::array<int, 3> qkv(const std::string& attn, const std::string& block, int x,
                         const std::array<std::string, 3>& names, const std::array<std::string, 2>& norms) {
    const std::array<Role, 3> roles{Role::kQuery, Role::kKey, Role::kValue};
    std::array<int, 3> out{};
    for (int i = 0; i < 3; ++i) {
      const std::string name = attn + "." + names[i];
      out[i] = b_.linear(name, x, hidden_, hidden_,
                         {.role = roles[i], .block = block, .producer = Producer::kModulate});
      out[i] = heads(name + ".heads", out[i]);
      if (i < 2) out[i] = b_.rms_norm(attn + "." + norms[i], out[i], config_.attention_head_dim, kEps);
    }
    return out;
  }

  int attend(const std::string& attn, const std::array<int, 3>& qkv) {
    const int q = b_.node(attn + ".rope_q", Op::kRope, {qkv[0], table_});
    const int k = b_.node(attn + ".rope_k", Op::kRope, {qkv[1], table_});
    return b_.node(attn, Op::kAttention, {q, k, qkv[2]});
  }

  int feed_forward(const std::string& ff, const std::string& block, int x) {
    x = b_.linear(ff + ".net.0.proj", x, hidden_, kMlpRatio * hidden_,
                  {.role = Role::kFfUp, .block = block, .producer = Producer::kModulate});
    x = b_.node(ff + ".net.0.gelu", Op::kGelu, {x});
    return b_.linear(ff + ".net.2", x, kMlpRatio * hidden_, hidden_,
                     {.role = Role::kFfDown, .block = block, .producer = Producer::kGelu});
  }

  void double_block(const std::string& block) {
    const std::string attn = block + ".attn";
    const auto image = modulation(block + ".norm1", block, 6);  // shift, scale, gate of attention; of the MLP
    const auto text = modulation(block + ".norm1_context", block, 6);
    const int image_in = norm_modulate(block + ".norm1", image_, image[1], image[0]);
    const int text_in = norm_modulate(block + ".norm1_context", text_, text[1], text[0]);
    const auto i = qkv(attn, block, image_in, {"to_q", "to_k", "to_v"}, {"norm_q", "norm_k"});
    const auto t = qkv(attn, block, text_in, {"add_q_proj", "add_k_proj", "add_v_proj"},
                       {"norm_added_q", "norm_added_k"});
    std::array<int, 3> joint{};
    for (int n = 0; n < 3; ++n)
      joint[n] = b_.node(attn + ".joint_" + "qkv" [n], Op::kConcat, { t[n], i[n] }, {{"axis", 1}});
    const int attended = attend(attn, joint);
    const GraphBuilder::LinearFacts out{
        .role = Role::kAttentionOut, .block = block, .producer = Producer::kAttention};
    const int image_part = b_.node(attn + ".image_tokens", Op::kTokensLike, {attended, text_}, {{"rest", 1}});
    const int text_part = b_.node(attn + ".text_tokens", Op::kTokensLike, {attended, text_}, {{"rest", 0}});
    const int image_out = b_.linear(attn + ".to_out.0", image_part, hidden_, hidden_, out);
    const int text_out = b_.linear(attn + ".to_add_out", text_part, hidden_, hidden_, out);
    image_ = b_.node(block + ".attn_residual", Op::kGatedAdd, {image_, image[2], image_out});
    text_ = b_.node(block + ".attn_residual_context", Op::kGatedAdd, {text_, text[2], text_out});
    const int image_ff =
        feed_forward(block + ".ff", block, norm_modulate(block + ".norm2", image_, image[4], image[3]));
    const int text_ff = feed_forward(block + ".ff_context", block,
                                     norm_modulate(block + ".norm2_context", text_, text[4], text[3]));
    image_ = b_.node(block + ".ff_residual", Op::kGatedAdd, {image_, image[5], image_ff});
    text_ = b_.node(block + ".ff_residual_context", Op::kGatedAdd, {text_, text[5], text_ff});
    b_.group({{attn + ".to_q", attn + ".to_k", attn + ".to_v"}});
    b_.group({{attn + ".add_q_proj", attn + ".add_k_proj", attn + ".add_v_proj"}});
    b_.group({{attn + ".to_out.0"}});
    b_.group({{attn + ".to_add_out"}}, attn + ".to_out.0");
  }

  int single_block(const std::string& block, int x) {
    const std::string attn = block + ".attn";
    const auto mod = modulation(block + ".norm", block, 3);  // shift, scale, gate
    const int in = norm_modulate(block + ".norm", x, mod[1], mod[0]);
    const int64_t mlp = kMlpRatio * hidden_;
    int up = b_.linear(block + ".proj_mlp", in, hidden_, mlp,
                       {.role = Role::kFfUp, .block = block, .producer = Producer::kModulate});
    up = b_.node(block + ".act_mlp", Op::kGelu, {up});
    const int attended = attend(attn, qkv(attn, block, in, {"to_q", "to_k", "to_v"}, {"norm_q", "norm_k"}));
    const int joined = b_.node(block + ".proj_in", Op::kConcat, {attended, up}, {{"axis", -1}});
    const int out = b_.linear(
        block + ".proj_out", joined, hidden_ + mlp, hidden_,
        {.role = Role::kFusedOut,
         .block = block,
         .segments = {{0, hidden_, Producer::kAttention}, {hidden_, hidden_ + mlp, Producer::kGelu}}});
    b_.group({{attn + ".to_q", attn + ".to_k", attn + ".to_v"}, {block + ".proj_mlp"}});
    return b_.node(block + ".residual", Op::kGatedAdd, {x, mod[2], out});
  }

  int final_layer(int x) {
    const int all = b_.linear("norm_out.linear", silu_, hidden_, 2 * hidden_,
                              {.role = Role::kFinal, .t_only = true, .producer = Producer::kSilu});
    const double h = static_cast<double>(hidden_);
    const int scale = b_.node("norm_out.scale", Op::kSlice, {all}, {{"begin", 0}, {"end", h}});
    const int shift = b_.node("norm_out.shift", Op::kSlice, {all}, {{"begin", h}, {"end", 2 * h}});
    x = norm_modulate("norm_out", x, scale, shift);
    return b_.linear("proj_out", x, hidden_, config_.patch_size * config_.patch_size * config_.out_channels,
                     {.role = Role::kFinal, .producer = Producer::kModulate});
  }

  FluxConfig config_;
  int64_t hidden_;
  GraphBuilder b_;
  int table_ = -1, silu_ = -1, image_ = -1, text_ = -1;
  std::vector<std::vector<std::string>> adaln_;
};

}  // namespace

FluxConfig parse_flux_config(const Value& json) {
  FluxConfig c;
  const auto read = [&](const char* key, int64_t& field, int64_t least) {
    const Value* v = json.find(key);
    if (v == nullptr || v->kind == Value::Kind::kNull) return;
    field = v->as_integer(key);
    SVDLAB_REQUIRE(field >= least && field <= 1 << 20, Errc::kConfig, v->where, ": ", key, " is ", field,
                   ", must be in [", least, ", 1048576]");
  };
  read("patch_size", c.patch_size, 1);
  read("in_channels", c.in_channels, 1);
  c.out_channels = c.in_channels;
  read("out_channels", c.out_channels, 1);
  read("num_layers", c.num_layers, 0);
  read("num_single_layers", c.num_single_layers, 0);
  read("attention_head_dim", c.attention_head_dim, 2);
  read("num_attention_heads", c.num_attention_heads, 1);
  read("joint_attention_dim", c.joint_attention_dim, 1);
  read("pooled_projection_dim", c.pooled_projection_dim, 1);
  if (const Value* v = json.find("guidance_embeds")) c.guidance_embeds = v->as_boolean("guidance_embeds");
  if (const Value* v = json.find("axes_dims_rope")) {
    c.axes_dims_rope.clear();
    for (const Value& item : v->items) c.axes_dims_rope.push_back(item.as_integer("axes_dims_rope"));
  }
  const int64_t axes = std::accumulate(c.axes_dims_rope.begin(), c.axes_dims_rope.end(), int64_t{0});
  SVDLAB_REQUIRE(axes == c.attention_head_dim, Errc::kConfig, json.where, ": axes_dims_rope sums to ", axes,
                 ", must be attention_head_dim ", c.attention_head_dim);
  for (const int64_t d : c.axes_dims_rope)
    SVDLAB_REQUIRE(d > 0 && d % 2 == 0, Errc::kConfig, json.where, ": axes_dims_rope holds ", d,
                   ", must be even");
  return c;
}

Graph build_flux(const FluxConfig& config, const TensorSource& source) {
  Graph graph = FluxBuilder(config, source).build();
  graph.facts = {{"in_channels", static_cast<double>(config.in_channels)},
                 {"joint_attention_dim", static_cast<double>(config.joint_attention_dim)},
                 {"pooled_projection_dim", static_cast<double>(config.pooled_projection_dim)},
                 {"guidance_embeds", config.guidance_embeds ? 1.0 : 0.0},
                 {"hidden", static_cast<double>(config.hidden())}};
  return graph;
}

}  // namespace svdlab
