// Steps of an analysis in the C++ core of BPCells, as its R package calls it: one program, one step per run.
//
//   bpcells_steps convert OUT IN.h5ad            one part of the cells, bit-packed
//   bpcells_steps STEP WORK PART PART ...        a step over all parts; seconds and memory are printed
//
// The parts are concatenated by columns (cells), each read by one of two threads.
#include <chrono>
#include <fstream>
#include <future>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "arrayIO/binaryfile.h"
#include "arrayIO/vector.h"
#include "matrixIterators/ConcatenateMatrix.h"
#include "matrixIterators/ImportMatrixHDF5.h"
#include "matrixIterators/MatrixIndexSelect.h"
#include "matrixIterators/SVD.h"
#include "matrixIterators/StoredMatrix.h"
#include "matrixIterators/StoredMatrixWriter.h"
#include "matrixTransforms/Log1p.h"
#include "matrixTransforms/Scale.h"
#include "matrixTransforms/Shift.h"
#include "matrixUtils/Pseudobulk.h"

using namespace BPCells;
using Clock = std::chrono::steady_clock;
using Counts = std::unique_ptr<MatrixLoader<uint32_t>>;
using Values = std::unique_ptr<MatrixLoader<double>>;

static const uint32_t threads = 2;

template <typename T> static std::vector<T> numbers(const std::string &file) {
    std::ifstream in(file);
    if (!in) throw std::runtime_error("cannot read " + file);
    std::vector<T> found;
    for (T value; in >> value;) found.push_back(value);
    return found;
}

template <typename Vector> static void keep(const std::string &file, const Vector &values) {
    std::ofstream out(file);
    out.precision(17);
    for (size_t i = 0; i < static_cast<size_t>(values.size()); i++) out << values[i] << "\n";
}

static Counts part(const std::string &folder) {
    FileReaderBuilder files(folder);
    return std::make_unique<StoredMatrix<uint32_t>>(StoredMatrix<uint32_t>::openPacked(files));
}

static Values normalized(const std::string &folder, const Eigen::ArrayXXd &scale) {
    TransformFit fit;
    fit.col_params = scale;
    Values values = std::make_unique<MatrixConverterLoader<uint32_t, double>>(part(folder));
    values = std::make_unique<Scale>(std::move(values), fit);
    return std::make_unique<Log1pSIMD>(std::move(values), TransformFit{});
}

template <typename T> static std::unique_ptr<MatrixLoader<T>> joined(std::vector<std::unique_ptr<MatrixLoader<T>>> &&parts) {
    if (parts.size() == 1) return std::move(parts[0]);
    return std::make_unique<ConcatCols<T>>(std::move(parts), threads);
}

struct Work {
    std::string folder;
    std::vector<std::string> parts;

    Counts counts() const {
        std::vector<Counts> opened;
        for (auto &name : parts) opened.push_back(part(name));
        return joined(std::move(opened));
    }

    // What normalizes the cells of each part: 10,000 over the total of each cell.
    std::vector<Eigen::ArrayXXd> scales() const {
        auto totals = numbers<double>(folder + "/totals");
        std::vector<Eigen::ArrayXXd> found;
        size_t first = 0;
        for (auto &name : parts) {
            uint32_t cells = part(name)->cols();
            Eigen::ArrayXXd scale(1, cells);
            for (uint32_t i = 0; i < cells; i++) scale(0, i) = 1e4 / std::max(totals[first + i], 1.0);
            first += cells;
            found.push_back(scale);
        }
        return found;
    }

    Values logs() const {
        auto scale = scales();
        std::vector<Values> opened;
        for (size_t i = 0; i < parts.size(); i++) opened.push_back(normalized(parts[i], scale[i]));
        return joined(std::move(opened));
    }
};

static void convert(const std::string &out, const std::string &in) {
    std::vector<std::string> none;
    auto read = std::make_unique<StoredMatrix<float>>(openAnnDataMatrix<float>(
        in, "X", 16384, std::make_unique<VecStringReader>(none), std::make_unique<VecStringReader>(none)
    ));
    MatrixConverterLoader<float, uint32_t> whole(std::move(read));
    FileWriterBuilder files(out);
    StoredMatrixWriter<uint32_t>::createPacked(files).write(whole);
}

static void quality(const Work &work) {
    auto counts = work.counts();
    StatsResult found = counts->computeMatrixStats(Stats::NonZeroCount, Stats::Mean);
    double genes = counts->rows();
    keep(work.folder + "/totals", Eigen::ArrayXd(found.col_stats.row(1).transpose() * genes));
    keep(work.folder + "/detected", Eigen::ArrayXd(found.col_stats.row(0).transpose()));
}

static void group_sums(const Work &work) {
    auto groups = numbers<uint32_t>(work.folder + "/groups");
    uint32_t largest = *std::max_element(groups.begin(), groups.end());
    std::vector<std::future<Eigen::ArrayXXd>> sums;
    size_t first = 0;
    for (auto &name : work.parts) {
        uint32_t cells = part(name)->cols();
        std::vector<uint32_t> own(groups.begin() + first, groups.begin() + first + cells);
        first += cells;
        sums.push_back(std::async(std::launch::deferred, [name, own, largest]() {
            auto found = pseudobulk_matrix<uint32_t>(part(name), own, PseudobulkStatsMethod::Sum, false, NULL).sum;
            Eigen::ArrayXXd all = Eigen::ArrayXXd::Zero(found.rows(), largest + 1);
            all.leftCols(found.cols()) = found;
            return all;
        }));
    }
    auto found = parallel_map_helper(sums, threads);
    Eigen::ArrayXXd total = found[0];
    for (size_t i = 1; i < found.size(); i++) total += found[i];
    keep(work.folder + "/group_total", Eigen::ArrayXd(total.colwise().sum().transpose()));
}

static void variable_genes(const Work &work) {
    StatsResult found = work.logs()->computeMatrixStats(Stats::Variance, Stats::None);
    keep(work.folder + "/gene_variance", Eigen::ArrayXd(found.row_stats.row(2).transpose()));
}

// The chosen genes are written once, as floats without compression, and all products read that copy.
static void pca(const Work &work) {
    auto genes = numbers<uint32_t>(work.folder + "/genes");
    auto scale = work.scales();
    std::vector<std::future<int>> writers;
    for (size_t i = 0; i < work.parts.size(); i++) {
        writers.push_back(std::async(std::launch::deferred, [&, i]() {
            Values values = std::make_unique<MatrixRowSelect<double>>(normalized(work.parts[i], scale[i]), genes);
            MatrixConverterLoader<double, float> single(std::move(values));
            FileWriterBuilder files(work.folder + "/staged" + std::to_string(i));
            StoredMatrixWriter<float>::createPacked(files).write(single);
            return 0;
        }));
    }
    parallel_map_helper(writers, threads);
    std::vector<Values> opened;
    for (size_t i = 0; i < work.parts.size(); i++) {
        FileReaderBuilder files(work.folder + "/staged" + std::to_string(i));
        auto staged = std::make_unique<StoredMatrix<float>>(StoredMatrix<float>::openPacked(files));
        opened.push_back(std::make_unique<MatrixConverterLoader<float, double>>(std::move(staged)));
    }
    Values values = joined(std::move(opened));
    double cells = values->cols();
    StatsResult moments = values->computeMatrixStats(Stats::Mean, Stats::None);
    TransformFit fit;
    fit.row_params = -moments.row_stats.row(1);
    ShiftRows centered(std::move(values), fit);
    SVDResult found = svd(&centered, 50, 101, 1000, 1e-10, false, NULL);
    if (!found.success) throw std::runtime_error("the components did not converge");
    keep(work.folder + "/variance", Eigen::ArrayXd(found.d.array().square() / (cells - 1)));
    std::cout << "operations " << found.num_operations << "\n";
}

// Scores of gene sets: one row of weights for each set, times the log-normalized counts.
static void module_score(const Work &work) {
    auto weights = numbers<double>(work.folder + "/weights");
    auto logs = work.logs();
    Eigen::Map<Eigen::MatrixXd> rows(weights.data(), weights.size() / logs->rows(), logs->rows());
    Eigen::MatrixXd scores = logs->denseMultiplyLeft(rows);
    keep(work.folder + "/score_mean", Eigen::ArrayXd(scores.rowwise().mean()));
}

// The most memory this program held, in kB.
static void tell_memory() {
    std::ifstream in("/proc/self/status");
    for (std::string line; std::getline(in, line);) {
        if (line.rfind("VmHWM:", 0) == 0) std::cout << "memory " << std::stol(line.substr(6)) << "\n";
    }
}

int main(int count, char **arguments) {
    std::vector<std::string> given(arguments + 1, arguments + count);
    try {
        if (given.size() < 3) throw std::runtime_error("bpcells_steps STEP WORK PART ...");
        Work work{given[1], std::vector<std::string>(given.begin() + 2, given.end())};
        auto started = Clock::now();
        if (given[0] == "convert") convert(given[1], given[2]);
        else if (given[0] == "quality") quality(work);
        else if (given[0] == "group_sums") group_sums(work);
        else if (given[0] == "variable_genes") variable_genes(work);
        else if (given[0] == "pca") pca(work);
        else if (given[0] == "module_score") module_score(work);
        else throw std::runtime_error("no step " + given[0]);
        std::cout << "seconds " << std::chrono::duration<double>(Clock::now() - started).count() << "\n";
        tell_memory();
    } catch (const std::exception &error) {
        std::cerr << error.what() << "\n";
        return 1;
    }
    return 0;
}
